import { pipeline, valueReply, whole } from "../../src/core/index.ts";
import { type SemanticOptions, type SemanticSnapshot, semantic } from "../../src/policies/semantic/index.ts";
import { callOf, virtualRuntime } from "./calls.ts";
import { hashedEmbed } from "./hashed-embedder.ts";
import { questionWire } from "./question-wire.ts";
import type { Kind, Labelled } from "./semantic-traffic.ts";

export interface TrafficRun {
  readonly asked: number;
  readonly hits: number;
  /** Hits with an answer of another meaning. */
  readonly wrong: number;
  readonly wrongByKind: Readonly<Partial<Record<Kind, number>>>;
  /** Every pair that was judged. */
  readonly judged: readonly { readonly similarity: number; readonly wrong: boolean }[];
  readonly snapshot: SemanticSnapshot;
}

/** Sends labelled questions through a semantic cache of these options, one after another; meanings are the answers. */
export async function runTraffic(traffic: readonly Labelled[], options: Partial<SemanticOptions>): Promise<TrafficRun> {
  const { runtime } = virtualRuntime();
  const policy = semantic({
    embed: hashedEmbed,
    embedder: "hashed@1",
    judge: async ({ cachedAnswer, freshAnswer }) => cachedAnswer === freshAnswer,
    minSimilarity: 0.8,
    ttl: "7d",
    maxEntries: 100_000,
    maxBytes: "1gb",
    ...options,
  }).open(runtime);
  const line = pipeline(policy);
  const judged: { similarity: number; wrong: boolean }[] = [];
  runtime.events.on("semantic.judged", ({ similarity, wrong }) => judged.push({ similarity, wrong }));
  const wrongByKind: Partial<Record<Kind, number>> = {};
  let hits = 0;
  let wrong = 0;
  for (const { text, meaning, kind } of traffic) {
    const call = callOf(runtime, async () => valueReply(meaning, whole()), {
      request: { input: text },
      wire: questionWire,
    });
    const outcome = await line.execute(call);
    await policy.flush();
    if (!outcome.ok || outcome.body.kind !== "value" || outcome.servedBy !== "cache") continue;
    hits++;
    if (outcome.body.value === meaning) continue;
    wrong++;
    wrongByKind[kind] = (wrongByKind[kind] ?? 0) + 1;
  }
  const snapshot = policy.snapshot();
  await line.close();
  return { asked: traffic.length, hits, wrong, wrongByKind, judged, snapshot };
}

/** The best that a static threshold could have done with these pairs, chosen afterwards: most hits within the error rate. */
export function bestThreshold(
  pairs: TrafficRun["judged"],
  maxErrorRate: number,
): { readonly minSimilarity: number; readonly hits: number; readonly wrong: number } {
  let best = { minSimilarity: 1, hits: 0, wrong: 0 };
  let wrong = 0;
  for (const [at, pair] of pairs.toSorted((left, right) => right.similarity - left.similarity).entries()) {
    if (pair.wrong) wrong++;
    if (wrong <= maxErrorRate * (at + 1)) best = { minSimilarity: pair.similarity, hits: at + 1, wrong };
  }
  return best;
}

/**
 * The upper bound of an error rate after `errors` of `count`, at one moment fixed before.
 * Source: Clopper and Pearson, Biometrika 26 (1934), by halving.
 */
export function clopperPearson(errors: number, count: number, confidence: number): number {
  let [low, high] = [0, 1];
  for (let n = 0; n < 50; n++) {
    const rate = (low + high) / 2;
    if (atMost(errors, count, rate) > 1 - confidence) low = rate;
    else high = rate;
  }
  return count === 0 ? 1 : high;
}

// In logarithms, because the first terms of a large count are too small for a number.
function atMost(errors: number, count: number, rate: number): number {
  let term = count * Math.log1p(-rate);
  let sum = Math.exp(term);
  for (let n = 1; n <= errors; n++) {
    term += Math.log((count - n + 1) / n) + Math.log(rate) - Math.log1p(-rate);
    sum += Math.exp(term);
  }
  return sum;
}
