import {
  type Call,
  type EventMap,
  type EventType,
  type FaultDetails,
  faultOf,
  type Line,
  type Outcome,
  type Policy,
  pipeline,
  type Runtime,
  type Target,
  type TargetTraits,
  valueReply,
  whole,
} from "../../../src/core/index.ts";
import { type FallbackOptions, type FallbackPolicy, fallback } from "../../../src/policies/fallback/index.ts";

export type Send = (call: Call) => Promise<Outcome>;

/** A target that `send` stands for. */
export function targetTo(name: string, send: Send, traits: TargetTraits & { model?: string } = {}): Target {
  const { model, ...rest } = traits;
  return {
    ...rest,
    name,
    model,
    apply: (call) =>
      call.with({
        destination: {
          provider: name,
          endpoint: `test://${name}`,
          model: model ?? call.model,
          credential: `key-of-${name}`,
          send,
          via: name,
          foreign: model !== undefined && model !== call.model,
        },
      }),
  };
}

export function answer(value: unknown): Outcome {
  return valueReply(value, whole({ usage: { inputTokens: 100, outputTokens: 50 } }));
}

export function failing(details: FaultDetails | FaultDetails["kind"]): Send {
  const fault = faultOf(typeof details === "string" ? { kind: details, error: new Error(details) } : details);
  return async () => fault;
}

export function saying(value: unknown): Send {
  return async () => answer(value);
}

/** A line with a fallback and what is within it. */
export function lineOf(
  runtime: Runtime,
  options: FallbackOptions,
  ...within: readonly Policy[]
): { readonly line: Line; readonly policy: FallbackPolicy } {
  const policy = fallback(options, runtime);
  return { line: pipeline(policy, ...within), policy };
}

/** Every event of these types from now on. */
export function heard<T extends EventType>(runtime: Runtime, ...types: readonly T[]): ({ type: T } & EventMap[T])[] {
  const events: ({ type: T } & EventMap[T])[] = [];
  for (const type of types) runtime.events.on(type, (event) => void events.push(event as never));
  return events;
}

export function valueIn(outcome: Outcome): unknown {
  if (!outcome.ok) return outcome.kind;
  return outcome.body.kind === "value" ? outcome.body.value : "stream";
}
