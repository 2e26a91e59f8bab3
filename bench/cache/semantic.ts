/**
 * The semantic cache on labelled questions: how many it answers and how many of those wrongly, beside static thresholds.
 * The embedder hashes words and letters and knows nothing of meaning, so the shares of hits are those of a weak one;
 * what is to be seen is the error. Then how long a search takes and for how long it holds up everybody else.
 */
import { monitorEventLoopDelay } from "node:perf_hooks";
import { seededRandom } from "../../src/core/index.ts";
import { exactIndex, GUARDS, type SemanticOptions, sameWordsGuard } from "../../src/policies/semantic/index.ts";
import { bestThreshold, clopperPearson, runTraffic, type TrafficRun } from "../../test/support/semantic-run.ts";
import { type Labelled, labelledTraffic } from "../../test/support/semantic-traffic.ts";
import { median } from "../measure.ts";

const QUESTIONS = 4000;
const SEED = 2;
const MAX_ERROR_RATE = 0.01;

const percent = (share: number): string => `${(100 * share).toFixed(2)} %`;

function row(name: string, asked: number, hits: number, wrong: number, note = ""): void {
  const bound = hits === 0 ? "-" : percent(clopperPearson(wrong, hits, 0.95));
  const error = hits === 0 ? "-" : percent(wrong / hits);
  console.log(
    `${name.padEnd(46)} ${percent(hits / asked).padStart(8)} ${String(wrong).padStart(6)} ${error.padStart(8)} ${bound.padStart(9)}  ${note}`,
  );
}

async function report(
  name: string,
  traffic: readonly Labelled[],
  options: Partial<SemanticOptions>,
): Promise<TrafficRun> {
  const run = await runTraffic(traffic, { ...options, maxErrorRate: MAX_ERROR_RATE });
  const { servesFrom, judged } = run.snapshot;
  const note =
    options.mode === "verified"
      ? `${judged} judged; at the end it serves ${servesFrom === undefined ? "nothing" : `from ${servesFrom}`}`
      : "";
  row(name, run.asked, run.hits, run.wrong, note);
  return run;
}

async function compare(title: string, traffic: readonly Labelled[], thresholds: readonly number[]): Promise<void> {
  console.log(`\n${title}: ${traffic.length} questions`);
  console.log(
    `${"".padEnd(46)} ${"hits".padStart(8)} ${"wrong".padStart(6)} ${"error".padStart(8)} ${"at 95 %".padStart(9)}`,
  );
  for (const minSimilarity of thresholds) {
    await report(`static ${minSimilarity}, as elsewhere`, traffic, { mode: "threshold", minSimilarity, guards: [] });
  }
  const { judged } = await runTraffic(traffic, { mode: "shadow", guards: [] });
  const best = bestThreshold(judged, MAX_ERROR_RATE);
  row(
    "best static one, chosen afterwards",
    traffic.length,
    best.hits,
    best.wrong,
    `from ${best.minSimilarity.toFixed(4)}`,
  );
  await report("verified, no guards", traffic, { mode: "verified", guards: [] });
  await report("verified", traffic, { mode: "verified" });
  await report("verified, guards and sameWordsGuard", traffic, {
    mode: "verified",
    guards: [...GUARDS, sameWordsGuard],
  });
}

async function searchTimes(): Promise<void> {
  const random = seededRandom(1);
  const vector = (): Float32Array => Float32Array.from({ length: 384 }, () => random() - 0.5);
  const index = exactIndex();
  for (let row = 0; row < 10_000; row++) index.add("p", String(row), vector());
  const times: number[] = [];
  for (let n = 0; n < 50; n++) {
    const query = vector();
    const startedAt = performance.now();
    await index.search("p", query, 4);
    times.push(performance.now() - startedAt);
  }
  const loop = monitorEventLoopDelay({ resolution: 1 });
  loop.enable();
  for (let n = 0; n < 50; n++) await index.search("p", vector(), 4);
  loop.disable();
  console.log(
    `\nsearch among 10,000 vectors of 384: median ${median(times).toFixed(2)} ms; event loop's delay meanwhile: p50 ${(loop.percentile(50) / 1e6).toFixed(2)} ms, p99 ${(loop.percentile(99) / 1e6).toFixed(2)} ms`,
  );
  const text = "What do I do if my card has not arrived after two weeks, and whom do I call?";
  const other = `Hi, ${text}`;
  const startedAt = performance.now();
  for (let n = 0; n < 2000; n++) for (const guard of GUARDS) guard.admits(text, other);
  console.log(`all guards on a pair of questions: ${(((performance.now() - startedAt) * 1000) / 2000).toFixed(0)} µs`);
}

const traffic = labelledTraffic(QUESTIONS, SEED);
await compare("a mix of rewordings, paraphrases and traps", traffic, [0.8, 0.85, 0.9, 0.95]);
const banking = traffic.filter(({ kind }) => kind === "banking");
await compare("only different questions of bank customers, right by intent", banking, [0.8, 0.9]);
await searchTimes();
