import {
  type Call,
  ChunkStream,
  type Line,
  type Outcome,
  pipeline,
  type Runtime,
  type Settlement,
  streamFor,
  streamReply,
  valueReply,
  whole,
} from "../../../../src/core/index.ts";
import { type CacheOptions, type CachePolicy, cache } from "../../../../src/policies/cache/index.ts";
import { type CallOptions, callOf, drain } from "../../../support/calls.ts";
import { mapTier } from "./stores.ts";

export interface Bench {
  readonly policy: CachePolicy;
  readonly line: Line;
  /** How often the provider was asked. */
  asked(): number;
  /** Asks; the provider answers with how often it was asked, unless `send` does. */
  ask(options?: CallOptions, send?: (call: Call) => Promise<Outcome>): Promise<Outcome>;
  /** Asks and gives the value, or the word `refused`. */
  value(options?: CallOptions): Promise<unknown>;
}

/** A cache before a provider whose every answer is another. */
export function benchOf(runtime: Runtime, options: Partial<CacheOptions> = {}): Bench {
  const policy = cache({ tiers: [mapTier()], ...options }, runtime);
  const line = pipeline(policy);
  let asked = 0;
  const provider = async (): Promise<Outcome> => valueReply(`answer ${++asked}`, whole());
  const ask: Bench["ask"] = (callOptions = {}, send = provider) => line.execute(callOf(runtime, send, callOptions));
  return {
    policy,
    line,
    asked: () => asked,
    ask,
    value: async (callOptions) => valueIn(await ask(callOptions)),
  };
}

export function valueIn(outcome: Outcome): unknown {
  if (!outcome.ok) return outcome.kind;
  return outcome.body.kind === "value" ? outcome.body.value : "a stream";
}

export function streamIn(outcome: Outcome): ChunkStream {
  if (!outcome.ok || !(outcome.body instanceof ChunkStream)) throw new Error("not a stream");
  return outcome.body;
}

/** A `send` that streams `values`. */
export function streaming(values: readonly unknown[], end: Settlement = whole()) {
  return async (call: Call): Promise<Outcome> => {
    const rest = values.map((value) => ({ role: "content" as const, value }));
    return streamReply(streamFor(call, { pull: async () => rest.shift() ?? end, cancel: () => {} }));
  };
}

export async function readAll(outcome: Outcome): Promise<unknown[]> {
  return drain(streamIn(outcome));
}

/** Counts events of one type as they come. */
export function heard(runtime: Runtime, type: "cache.tier_failed" | "cache.tier_disabled" | "cache.tier_recovered") {
  const events: { readonly tier: string }[] = [];
  runtime.events.on(type, (event) => void events.push(event));
  return events;
}
