import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createRuntime, type Outcome, pipeline, seededRandom, valueReply, whole } from "../../../src/core/index.ts";
import { cache } from "../../../src/policies/cache/index.ts";
import { semantic } from "../../../src/policies/semantic/index.ts";
import { memory, sqlite } from "../../../src/stores/index.ts";
import { valueIn } from "../../policies/cache/support/questions.ts";
import { ByteServer, serverTier } from "../../policies/cache/support/stores.ts";
import { callOf } from "../../support/calls.ts";
import { questionWire } from "../../support/question-wire.ts";

// What keys, labels and patterns of other systems are built with, and what looks alike.
const PIECES = [
  "a",
  "b",
  "a:b",
  ":",
  "/",
  "|",
  "\u0000",
  "\n",
  "%",
  "*",
  "?",
  "_",
  "[",
  "tenant",
  "ten",
  "ant",
  "1",
  "é",
  "e\u0301",
  "Ａ",
  "A",
  " ",
  "😀",
  "\ud83d",
];

function wordsOf(random: () => number, count: number): string[] {
  const words = new Set<string>();
  while (words.size < count) {
    const length = 1 + Math.floor(random() * 4);
    words.add(Array.from({ length }, () => PIECES[Math.floor(random() * PIECES.length)]).join(""));
  }
  return [...words];
}

export interface Tally {
  readonly hits: Readonly<Record<string, number>>;
  /** Answers that were not of the caller's own credential, client and question. */
  readonly foreign: number;
}

/** Asks `count` questions of random tenants, through a small memory over a shared server and a file. */
export async function askAsTenants(count: number): Promise<Tally> {
  const folder = mkdtempSync(join(tmpdir(), "breakwater-tenants-"));
  const random = seededRandom(11);
  const pick = (words: readonly string[]) => words[Math.floor(random() * words.length)] as string;
  const runtime = createRuntime({ random });
  const tiers = [memory({ maxEntries: 100 }), serverTier(new ByteServer()), sqlite({ path: join(folder, "cache.db") })];
  const policy = cache({ tiers, tierTimeout: "1m" }, runtime);
  const line = pipeline(policy);
  const [credentials, clients, questions] = [wordsOf(random, 10), wordsOf(random, 10), wordsOf(random, 10)];
  let foreign = 0;
  for (let n = 0; n < count; n++) {
    if (n % 1000 === 0) policy.tier("server")[random() < 0.5 ? "disable" : "enable"]();
    const [credential, client, input] = [pick(credentials), pick(clients), pick(questions)];
    const scope = random() < 0.9 ? { client } : {};
    const own = JSON.stringify([credential, scope.client ?? null, input]);
    const send = async (): Promise<Outcome> => valueReply(own, whole());
    const outcome = await line.execute(callOf(runtime, send, { credential, request: { input }, scope }));
    if (valueIn(outcome) !== own) foreign++;
  }
  const { hits } = policy.stats();
  await policy.close();
  rmSync(folder, { recursive: true });
  return { hits, foreign };
}

/** The same through a semantic cache that takes every question for every other one. */
export async function askAlikeAsTenants(count: number): Promise<{ readonly hits: number; readonly foreign: number }> {
  const random = seededRandom(11);
  const pick = (words: readonly string[]) => words[Math.floor(random() * words.length)] as string;
  const runtime = createRuntime({ random });
  const policy = semantic({
    embed: async (texts) => texts.map(() => [1, 0]),
    embedder: "all-alike@1",
    mode: "threshold",
    minSimilarity: 0.5,
    guards: [],
  }).open(runtime);
  const line = pipeline(policy);
  const [credentials, clients, questions] = [wordsOf(random, 10), wordsOf(random, 10), wordsOf(random, 1000)];
  let foreign = 0;
  for (let n = 0; n < count; n++) {
    const [credential, client, input] = [pick(credentials), pick(clients), pick(questions)];
    const scope = random() < 0.9 ? { client } : {};
    const own = JSON.stringify([credential, scope.client ?? null]);
    const send = async (): Promise<Outcome> => valueReply(own, whole());
    const call = callOf(runtime, send, { credential, request: { input }, scope, wire: questionWire });
    if (valueIn(await line.execute(call)) !== own) foreign++;
    await policy.flush();
  }
  const { hits } = policy.snapshot();
  await policy.close?.();
  return { hits, foreign };
}
