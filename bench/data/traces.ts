/** The traces of the eviction benchmark: two real ones, three whose lengths, times or texts are real, three made up. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { seededRandom } from "../../src/core/index.ts";
import { type CacheRequest, readAzureTrace, readMooncakeTrace, syntheticTrace } from "../../src/lab/index.ts";

export interface NamedTrace {
  readonly name: string;
  /** What of it was measured somewhere, and what is drawn. */
  readonly origin: "real" | "drawn keys" | "synthetic";
  readonly requests: readonly CacheRequest[];
}

const DEMO = join(import.meta.dirname, "../../demo/data");

/** A rank from 0 below `count`, by Zipf's law with exponent 1. */
const zipfOne = (count: number, random: () => number): number => Math.floor((count + 1) ** random()) - 1;

interface Client {
  readonly name: string;
  /** Share of all requests that come from this client or one listed before it. */
  readonly upTo: number;
  readonly questions: number;
  readonly input: readonly [median: number, high: number];
  readonly output: readonly [median: number, high: number];
}

function clients(): readonly Client[] {
  const text = readFileSync(join(import.meta.dirname, "servegen-m-small-clients.csv"), "utf8");
  const rows = text
    .trim()
    .split("\n")
    .slice(1)
    .map((row) => row.split(",").map(Number));
  const total = rows.reduce((sum, [, rate = 0]) => sum + rate, 0);
  let upTo = 0;
  return rows.map(([name, rate = 0, input = 1, inputHigh = 1, output = 1, outputHigh = 1]) => {
    upTo += rate / total;
    const questions = Math.ceil(rate * 500) + 50;
    return { name: `client-${name}`, upTo, questions, input: [input, inputHigh], output: [output, outputHigh] };
  });
}

/** Clients of one service, in proportion to their rates; each has questions of its own, of its own lengths. */
function tenants(): readonly CacheRequest[] {
  const random = seededRandom(5);
  const all = clients();
  const drawn = ([median, high]: Client["input"]) => Math.max(1, median * (high / median) ** (random() * 2 - 1));
  const known = new Map<string, CacheRequest>();
  return Array.from({ length: 150_000 }, () => {
    const at = random();
    const client = all.find(({ upTo }) => at < upTo) ?? (all[0] as Client);
    const key = `${client.name}-${zipfOne(client.questions, random)}`;
    const [input, output] = [drawn(client.input), drawn(client.output)];
    const cost = (input * 0.15 + output * 0.6) / 1e6;
    const fresh = { key, owner: client.name, bytes: 600 + 4.2 * output, cost, tookMs: 400 + 15 * output };
    const request = known.get(key) ?? fresh;
    known.set(key, request);
    return request;
  });
}

/** Questions of bank customers to be sorted by intent: a long instruction, a short question, a shorter answer. */
function bankQuestions(): readonly CacheRequest[] {
  const random = seededRandom(6);
  const questions = readFileSync(join(DEMO, "banking77-questions.txt"), "utf8").trim().split("\n");
  return Array.from({ length: 60_000 }, (_, index) => {
    // New wordings come up as time goes by.
    const asked = Math.min(questions.length, 300 + Math.floor(index / 20));
    const question = questions[zipfOne(asked, random)] as string;
    const cost = ((400 + question.length / 4) * 0.15 + 12 * 0.6) / 1e6;
    return { key: question, bytes: 650 + question.length, cost, tookMs: 600 };
  });
}

export function evictionTraces(): readonly NamedTrace[] {
  const mooncake = gunzipSync(
    readFileSync(join(import.meta.dirname, "mooncake-conversation-first30min.jsonl.gz")),
  ).toString();
  const azure = readFileSync(join(DEMO, "azure-conv-2023.csv"), "utf8");
  return [
    { name: "mooncake blocks", origin: "real", requests: [...readMooncakeTrace(mooncake, { per: "block" })] },
    { name: "mooncake prompts", origin: "real", requests: [...readMooncakeTrace(mooncake)] },
    { name: "azure", origin: "drawn keys", requests: [...readAzureTrace(azure, { repeatShare: 0.5 })] },
    { name: "servegen tenants", origin: "drawn keys", requests: tenants() },
    { name: "bank questions", origin: "drawn keys", requests: bankQuestions() },
    { name: "one-hit wonders", origin: "synthetic", requests: syntheticTrace({ oneHitShare: 0.6, questions: 50_000 }) },
    { name: "drifting", origin: "synthetic", requests: syntheticTrace({ driftEvery: 40, seed: 2 }) },
    { name: "one price", origin: "synthetic", requests: syntheticTrace({ driftEvery: 40, dearShare: 0, seed: 3 }) },
  ];
}
