import type { FaultSpec } from "../../testing/index.ts";

/** What the provider does with one request instead of answering it. */
export type PresetFault =
  | FaultSpec
  | { readonly kind: "rejected"; readonly code: "context_length_exceeded" | "content_policy_violation" }
  /** After so many pieces of content nothing comes for 30 s, and then the stream ends. */
  | { readonly kind: "stall"; readonly afterChunks: number }
  /** Everything comes but the last line, `data: [DONE]`. */
  | { readonly kind: "noDone" };

/** A way in which a provider fails, as `presetFetch` plays it. */
export interface FaultPreset {
  readonly id: `S${string}`;
  readonly title: string;
  /** What the provider does. */
  readonly provider: string;
  /** What a user would want of whoever stands in between. */
  readonly wanted: string;
  /** `once`: the first request only. `forMs`: so long. Absent: always. */
  readonly lasts?: "once" | { readonly forMs: number };
  readonly fault: PresetFault;
}

const OVERLOADED: FaultSpec = { kind: "overloaded", status: 503 };

/**
 * The sixteen faults of failoverbench (github.com/failoverbench/failoverbench, `scenarios/catalogue.yaml` 0.1, MIT), by
 * its numbers and in its timing; S14 and S15 are about what follows, see `presetFetch`.
 */
export const FAULT_PRESETS: readonly FaultPreset[] = [
  {
    id: "S01",
    title: "429 with retry-after",
    provider: "answers the first request with 429 and `retry-after: 2`",
    wanted: "an answer, asked for again no sooner than told",
    lasts: "once",
    fault: { kind: "rateLimited", wait: "2s", hint: "seconds" },
  },
  {
    id: "S02",
    title: "429 without retry-after",
    provider: "answers every request with 429 and says no time",
    wanted: "few tries with growing pauses, then the other model or a clear 429",
    fault: { kind: "rateLimited", hint: "none" },
  },
  {
    id: "S03",
    title: "500 once",
    provider: "fails once with 500",
    wanted: "an answer of the second try",
    lasts: "once",
    fault: { kind: "status", status: 500 },
  },
  {
    id: "S04",
    title: "503 for good",
    provider: "answers every request with 503",
    wanted: "few tries, then the other model or the provider's own error",
    fault: OVERLOADED,
  },
  {
    id: "S05",
    title: "connection reset",
    provider: "resets the first connection before the head",
    wanted: "an answer of the second try",
    lasts: "once",
    fault: "reset",
  },
  {
    id: "S06",
    title: "silence",
    provider: "takes the request and never answers",
    wanted: "an end within the time limits, at the other model after the first of them",
    fault: { kind: "silent", at: "head" },
  },
  {
    id: "S07",
    title: "slow first token",
    provider: "gives its first token after 20 s",
    wanted: "the answer; at the other model when the limit of the first token is shorter",
    fault: { kind: "slowStart", factor: 200 },
  },
  {
    id: "S08",
    title: "cut stream",
    provider: "ends every stream after 40 of 60 tokens without a last event",
    wanted: "the whole answer, or an error; never part of it as if it were whole",
    fault: { kind: "cut", afterChunks: 40 },
  },
  {
    id: "S09",
    title: "stalled stream",
    provider: "falls silent after 20 tokens and closes 30 s later",
    wanted: "the stall is noticed by the idle limit; the whole answer, or an error",
    fault: { kind: "stall", afterChunks: 20 },
  },
  {
    id: "S10",
    title: "malformed event",
    provider: "sends one event of the stream that is no JSON",
    wanted: "the whole answer, or an error; nothing of the broken event",
    fault: { kind: "malformedEvent", afterChunks: 10 },
  },
  {
    id: "S11",
    title: "no [DONE]",
    provider: "sends a complete stream without its last line",
    wanted: "the answer at once, with its usage",
    fault: { kind: "noDone" },
  },
  {
    id: "S12",
    title: "context too long",
    provider: "answers 400 `context_length_exceeded`",
    wanted: "no second try at the same model; one with a larger context, or the error",
    fault: { kind: "rejected", code: "context_length_exceeded" },
  },
  {
    id: "S13",
    title: "content filter",
    provider: "answers 400 `content_policy_violation`",
    wanted: "no second try; the provider's own reason",
    fault: { kind: "rejected", code: "content_policy_violation" },
  },
  {
    id: "S14",
    title: "cut stream, and a fallback that takes no prefill",
    provider:
      "cuts every stream after 40 tokens; the other model rejects a request that ends with an assistant message",
    wanted: "a whole answer from the start, or the error of the cut; not that of the prefill",
    fault: { kind: "cut", afterChunks: 40 },
  },
  {
    id: "S15",
    title: "an outage of a minute",
    provider: "answers 503 for 60 s, then as ever",
    wanted: "every call served by the other model, few tries at the first, and back to it within 30 s",
    lasts: { forMs: 60_000 },
    fault: OVERLOADED,
  },
  {
    id: "S16",
    title: "accounting",
    provider: "answers every request with 503; the other model answers",
    wanted: "the answer names the model that gave it, with its usage; failed tries cost nothing",
    fault: OVERLOADED,
  },
];
