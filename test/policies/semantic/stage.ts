import {
  type Cancellation,
  type EventMap,
  type EventType,
  type Line,
  type Outcome,
  pipeline,
  type Runtime,
  type Scope,
  streamReply,
  valueReply,
  whole,
} from "../../../src/core/index.ts";
import { type SemanticOptions, type SemanticPolicy, semantic } from "../../../src/policies/semantic/index.ts";
import type { VirtualClock } from "../../../src/testing/index.ts";
import { callOf, drain, streamOf, virtualRuntime } from "../../support/calls.ts";
import { hashedEmbed } from "../../support/hashed-embedder.ts";
import { questionWire } from "../../support/question-wire.ts";

export const HOURS = "What are your opening hours?";
export const SIMILAR = "Hi, what are your opening hours?";
export const OTHER = "How do I delete my account?";

export interface Asking {
  readonly context?: object;
  readonly scope?: Scope;
  readonly stream?: boolean;
  readonly cancellation?: Cancellation;
  readonly details?: { credential?: string; model?: string; provider?: string; endpoint?: string };
  readonly answer?: unknown;
}

/** A line with a semantic cache in virtual time, and what happens on it. */
export interface Stage {
  readonly clock: VirtualClock;
  readonly runtime: Runtime;
  readonly policy: SemanticPolicy;
  readonly line: Line;
  readonly events: { type: EventType; event: object }[];
  sent: number;
  ask(text: string, asking?: Asking): Promise<Outcome>;
  /** The same, and whether the provider was not asked. */
  served(text: string, asking?: Asking): Promise<boolean>;
}

export function stage(
  options: Partial<SemanticOptions> = {},
  build?: (policy: SemanticPolicy, runtime: Runtime) => Line,
): Stage {
  const { clock, runtime } = virtualRuntime();
  const policy = semantic({
    embed: hashedEmbed,
    embedder: "hashed@1",
    mode: "threshold",
    minSimilarity: 0.6,
    ...options,
  }).open(runtime);
  const line = build?.(policy, runtime) ?? pipeline(policy);
  const events: Stage["events"] = [];
  runtime.events.on("*", (event) => {
    if (event.type.startsWith("semantic.")) events.push({ type: event.type, event });
  });
  const self: Stage = {
    clock,
    runtime,
    policy,
    line,
    events,
    sent: 0,
    async ask(text, { context = {}, details = {}, answer, stream = false, ...rest } = {}) {
      const call = callOf(
        runtime,
        async () => {
          self.sent++;
          const value = answer ?? `answer ${self.sent}`;
          if (!stream) return valueReply(value, whole());
          return streamReply(streamOf([{ role: "content", value }], whole()));
        },
        { request: { input: text, ...context }, wire: questionWire, stream, ...details, ...rest },
      );
      const outcome = await clock.run(line.execute(call));
      if (outcome.ok && outcome.body.kind === "stream") await drain(outcome.body);
      await clock.run(policy.flush());
      return outcome;
    },
    async served(text, asking) {
      const before = self.sent;
      await self.ask(text, asking);
      return self.sent === before;
    },
  };
  return self;
}

export function answerOf(outcome: Outcome): unknown {
  return outcome.ok && outcome.body.kind === "value" ? outcome.body.value : undefined;
}

/** The first event of a type. */
export function payload<T extends EventType>({ events }: Stage, type: T): EventMap[T] | undefined {
  return events.find((one) => one.type === type)?.event as EventMap[T] | undefined;
}
