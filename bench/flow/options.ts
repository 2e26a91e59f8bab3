/** What rateLimit, retry, timeout and deadline add to a call that does not wait, in nanoseconds, with several options. */
import {
  type Call,
  createRuntime,
  type Outcome,
  type Policy,
  pipeline,
  valueReply,
  whole,
} from "../../src/core/index.ts";
import { deadline } from "../../src/policies/deadline/index.ts";
import { rateLimit } from "../../src/policies/rate-limit/index.ts";
import { retry } from "../../src/policies/retry/index.ts";
import { timeout } from "../../src/policies/timeout/index.ts";
import { callOf } from "../../test/support/calls.ts";
import { medianMicroseconds } from "../measure.ts";

const CALLS = 20_000;
const runtime = createRuntime();
const reply = valueReply("An answer.", whole({ usage: { inputTokens: 100, outputTokens: 50 } }));
const send = async (_call: Call): Promise<Outcome> => reply;
const wide = { requestsPerMinute: 1e9, tokensPerMinute: 1e12 };

const policies: Record<string, Policy[]> = {
  "empty line": [],
  retry: [retry({}, runtime)],
  "retry, no budget": [retry({ budget: false }, runtime)],
  timeout: [timeout({}, runtime)],
  deadline: [deadline({}, runtime)],
  "rateLimit, nothing known": [rateLimit({}, runtime)],
  "rateLimit, requests and tokens": [rateLimit(wide, runtime)],
  "rateLimit, exact": [rateLimit({ ...wide, exact: true }, runtime)],
  "rateLimit, per model too": [rateLimit({ ...wide, perModel: wide }, runtime)],
};

const results = await medianMicroseconds(
  Object.fromEntries(
    Object.entries(policies).map(([name, list]) => {
      const line = pipeline(...list);
      return [name, { calls: CALLS, run: () => line.execute(callOf(runtime, send)) }];
    }),
  ),
);

const empty = results["empty line"] ?? 0;
for (const [name, microseconds] of Object.entries(results)) {
  console.log(`${name.padEnd(32)} ${((microseconds - empty) * 1_000).toFixed(0).padStart(6)} ns`);
}
