import OpenAI from "openai";
import { createFetch, scoped, targetOf } from "../../../src/clients/index.ts";
import { createRuntime, pipeline, seededRandom } from "../../../src/core/index.ts";
import { breaker } from "../../../src/policies/breaker/index.ts";
import { deadline } from "../../../src/policies/deadline/index.ts";
import { fallback } from "../../../src/policies/fallback/index.ts";
import { pool } from "../../../src/policies/pool/index.ts";
import { rateLimit } from "../../../src/policies/rate-limit/index.ts";
import { retry } from "../../../src/policies/retry/index.ts";
import { throttle } from "../../../src/policies/throttle/index.ts";
import { timeout } from "../../../src/policies/timeout/index.ts";
import { simulatedFetch, VirtualClock } from "../../../src/testing/index.ts";

const SECOND_MS = 1_000;
const MINUTE_S = 60;

export interface CallsRun {
  readonly all: number;
  readonly answered: number;
  /** Of those that were answered, how many by the spare. */
  readonly spared: number;
  /** The part of the urgent ones that was answered. */
  readonly urgentAnswered: number;
}

/** Four deployments of one model, balanced, and behind them another provider with 30 % of their capacity. */
export interface OutageRun {
  /** Of calls that began from second `from` until before `to`. */
  calls(from: number, to: number): CallsRun;
  /** Requests that the four deployments answered a second, of those that came in these seconds. */
  servedPerSecond(from: number, to: number): number;
  readonly callsPerSecond: number;
  readonly requestsOfSpare: number;
  readonly rateLimitedAtSpare: number;
  /** How often each target was given up or returned to, and when, in seconds. */
  readonly flips: readonly { readonly target: string; readonly at: number }[];
  readonly inFlight: number;
}

interface Scenario {
  readonly seed: number;
  /** Of each deployment. */
  readonly requestsPerMinute: number;
  /** When one of the four is dead, and when all are: seconds. */
  readonly oneDead: readonly [from: number, to: number];
  readonly allDead: readonly [from: number, to: number];
  readonly seconds: number;
}

export async function runOutage(scenario: Scenario): Promise<OutageRun> {
  const { seed, requestsPerMinute, oneDead, allDead, seconds } = scenario;
  const clock = new VirtualClock();
  const runtime = createRuntime({ clock, random: seededRandom(seed) });
  const dead = ([from, to]: readonly [number, number]) => ({
    from: from * SECOND_MS,
    to: to * SECOND_MS,
    fault: { kind: "status", status: 500 } as const,
  });
  const provider = (n: number, limit: number, ...outages: (readonly [number, number])[]) =>
    simulatedFetch({
      clock,
      seed: seed * 10 + n,
      requestsPerMinute: limit,
      burst: "10s",
      // Without the tail, in which a call takes longer than its deadline whatever else happens.
      latency: { firstTokenSigma: 0.5 },
      outputTokens: 40,
      faults: outages.map(dead),
      logSize: 100_000,
    });
  const deployments = [0, 1, 2, 3].map((n) =>
    provider(n, requestsPerMinute, ...(n === 1 ? [oneDead, allDead] : [allDead])),
  );
  const spare = provider(4, 1.2 * requestsPerMinute);
  const client = (name: string, fetch: unknown) =>
    new OpenAI({
      apiKey: `sk-${name}`,
      baseURL: `https://${name}.example/v1`,
      fetch: fetch as typeof globalThis.fetch,
    });
  const balance = fallback(
    {
      strategy: "least-loaded",
      targets: [
        ...[1, 2, 3].map((n) => targetOf({ name: `deployment-${n}`, client: client(`d${n}`, deployments[n]) })),
        targetOf({ name: "spare", client: client("spare", spare), model: "small", rank: 1 }),
      ],
    },
    runtime,
  );
  const line = pipeline(
    deadline({ total: "30s" }, runtime),
    pool({ concurrency: 1_000 }, runtime),
    balance,
    retry({}, runtime),
    // A fallback makes long pauses between the probes of a circuit needless.
    breaker({ maxOpen: "2s", ramp: "2s" }, runtime),
    throttle({}, runtime),
    rateLimit({}, runtime),
    timeout({}, runtime),
  );
  const send = createFetch(line, { fetch: deployments[0] as unknown as typeof fetch });
  const flips: { readonly target: string; readonly at: number }[] = [];
  for (const type of ["fallback.left", "fallback.returned"] as const) {
    runtime.events.on(type, ({ target }) => void flips.push({ target, at: clock.now() / SECOND_MS }));
  }

  const ends: { readonly at: number; readonly ok: boolean; readonly urgent: boolean; readonly spared: boolean }[] = [];
  const ask = async (n: number): Promise<void> => {
    const at = clock.now() / SECOND_MS;
    const urgent = n % 5 === 0;
    const body = JSON.stringify({ model: "big", messages: [{ role: "user", content: `Question ${n}` }] });
    const { fetchOptions } = scoped({ priority: urgent ? "high" : "low" });
    const headers = { authorization: "Bearer sk-d0" };
    const url = "https://d0.example/v1/chat/completions";
    const response = await send(url, { ...fetchOptions, method: "POST", headers, body });
    const spared = (await response.text()).includes('"model":"small"');
    ends.push({ at, ok: response.ok, urgent, spared });
  };
  // All that the four can do together, but for a twentieth.
  const perSecond = (0.95 * 4 * requestsPerMinute) / MINUTE_S;
  for (let n = 0; n < seconds * perSecond; n++) {
    void ask(n);
    await clock.advance(SECOND_MS / perSecond);
  }
  await clock.advance(60 * SECOND_MS);
  const inFlight = Object.values(balance.snapshot().targets).reduce((sum, place) => sum + place.inFlight, 0);
  await line.close();

  const { requests, rateLimited } = spare.provider.stats();
  return {
    calls(from, to) {
      const begun = ends.filter(({ at }) => at >= from && at < to);
      const urgent = begun.filter((end) => end.urgent);
      return {
        all: begun.length,
        answered: begun.filter(({ ok }) => ok).length,
        spared: begun.filter(({ ok, spared }) => ok && spared).length,
        urgentAnswered: urgent.filter(({ ok }) => ok).length / urgent.length,
      };
    },
    servedPerSecond: (from, to) =>
      deployments
        .flatMap(({ provider: { log } }) => log)
        .filter(({ at, status }) => status === 200 && at >= from * SECOND_MS && at < to * SECOND_MS).length /
      (to - from),
    callsPerSecond: perSecond,
    requestsOfSpare: requests,
    rateLimitedAtSpare: rateLimited,
    flips,
    inFlight,
  };
}
