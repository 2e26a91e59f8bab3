/**
 * An endless backlog at a provider with 600 requests and 300,000 tokens a minute, for ten minutes of virtual time; its
 * limits are halved from minute 4 to minute 7, without a word. The provider takes `max_tokens` (1,024) when a request
 * comes and gives back what the answer did not use (about 600 tokens with the prompt).
 *
 * Medians of five seeds; the others with one, and those that flood the provider only with `--all` (minutes). `goodput` and `429s` before the halving; `halved` is the goodput from ten seconds after it on,
 * as a share of the new limit; `back` is when nine tenths of the old rate are admitted again.
 */
import { type Random, seededRandom } from "../../src/index.ts";
import { createProviderModel, type ProviderLogEntry, VirtualClock } from "../../src/testing/index.ts";
import { median } from "../measure.ts";
import * as clients from "./goodput-clients.ts";
import { inVirtualTime } from "./virtual-globals.ts";

const OUR_SEEDS = [1, 2, 3, 4, 5];
// They need a hundred times as many requests: one seed, and those with 200 workers only when asked for.
const ANCHOR_SEEDS = [1];
const MINUTE_MS = 60_000;
const HALVED_AT = 4 * MINUTE_MS;
const RESTORED_AT = 7 * MINUTE_MS;
const END = 10 * MINUTE_MS;
const LIMITS = { requestsPerMinute: clients.REQUESTS_PER_MINUTE, tokensPerMinute: clients.TOKENS_PER_MINUTE };
const accounting = { openai: { settles: true } };

interface Told {
  readonly headers: boolean;
  /** Whether a refusal says what the limit is. */
  readonly words: boolean;
}

interface Candidate extends Told {
  readonly seeds?: readonly number[];
  readonly slow?: boolean;
  readonly start: (backlog: clients.Backlog) => void;
}

const open: Told = { headers: true, words: true };
const anchor = { ...open, seeds: ANCHOR_SEEDS };
const told = { ...LIMITS, accounting };
const CANDIDATES: Readonly<Record<string, Candidate>> = {
  "Breakwater, headers": { ...open, start: (b) => clients.optimizer(b, told) },
  "Breakwater, headers, nothing set": { ...open, start: (b) => clients.optimizer(b, { accounting }) },
  "Breakwater, words of 429s": { headers: false, words: true, start: (b) => clients.optimizer(b, told) },
  "Breakwater, told nothing": { headers: false, words: false, start: (b) => clients.optimizer(b, told) },
  "AWS adaptive, 200 workers": { ...anchor, start: (b) => clients.awsAdaptive(b, 200) },
  "OpenAI cookbook": { ...anchor, start: clients.cookbook },
  "Bottleneck 2.19": { ...anchor, start: clients.bottleneck },
  "openai SDK, 50 workers": { ...anchor, start: (b) => clients.sdkBackoff(b, 50) },
  "openai SDK, 200 workers": { ...anchor, slow: true, start: (b) => clients.sdkBackoff(b, 200) },
  "each sleeps retry-after, 200": { ...anchor, slow: true, start: (b) => clients.retryAfterEach(b, 200) },
};

interface Figures {
  readonly goodput: number;
  readonly refused: number;
  readonly sends: number;
  readonly halved: number;
  readonly refusedHalved: number;
  readonly backMs: number;
}

async function run({ start, headers, words }: Candidate, seed: number): Promise<Figures> {
  const clock = new VirtualClock();
  const random = seededRandom(seed);
  const provider = createProviderModel({
    ...LIMITS,
    seed,
    clock,
    burst: "10s",
    settle: true,
    rateLimitHeaders: headers,
    outputTokens: { median: 175, sigma: 0.5 },
    latency: { firstToken: 500, firstTokenSigma: 0.4, perToken: 15 },
    logSize: 1_000_000,
  });
  const fetch = words ? provider.fetch : wordless(provider.fetch);
  const backlog = { clock, random, fetch, next: () => bodyOf(random), over: false };
  await inVirtualTime(clock, async () => {
    start(backlog);
    await clock.advance(HALVED_AT);
    provider.setLimits({ requestsPerMinute: 300, tokensPerMinute: 150_000 });
    await clock.advance(RESTORED_AT - HALVED_AT);
    provider.setLimits(LIMITS);
    await clock.advance(END - RESTORED_AT);
    backlog.over = true;
  });
  return figuresOf(provider.log);
}

/** The same provider, whose refusals do not say what the limit is. */
function wordless(fetch: typeof globalThis.fetch): typeof globalThis.fetch {
  return async (input, init) => {
    const response = await fetch(input, init);
    if (response.status !== 429) return response;
    await response.text();
    return new Response("Too Many Requests", { status: 429, headers: response.headers });
  };
}

function bodyOf(random: Random) {
  const content = `${random()} `.padEnd(Math.round(400 + random() * 2_400), "word ");
  return { model: "gpt-4o-mini", max_tokens: 1_024, messages: [{ role: "user" as const, content }] };
}

function figuresOf(log: readonly ProviderLogEntry[]): Figures {
  const sentIn = (from: number, to: number) => log.filter(({ at }) => at >= from && at < to);
  const tokensIn = (from: number, to: number): number =>
    log
      .filter(({ admitted, endedAt }) => admitted && endedAt !== undefined && endedAt >= from && endedAt < to)
      .reduce((sum, { promptTokens, outputTokens }) => sum + promptTokens + outputTokens, 0);
  const share = (from: number, to: number, limit: number): number =>
    tokensIn(from, to) / ((limit * (to - from)) / MINUTE_MS);
  const before = sentIn(0, HALVED_AT);
  const refusedOf = (sent: readonly ProviderLogEntry[]) => sent.filter(({ status }) => status === 429).length;
  return {
    goodput: share(MINUTE_MS, HALVED_AT, LIMITS.tokensPerMinute),
    refused: refusedOf(before) / before.length,
    sends: before.length / before.filter(({ admitted }) => admitted).length,
    halved: share(HALVED_AT + 10_000, RESTORED_AT, LIMITS.tokensPerMinute / 2),
    refusedHalved: refusedOf(sentIn(HALVED_AT, RESTORED_AT)),
    backMs: backAt(log, before) - RESTORED_AT,
  };
}

/** The end of the first five seconds in which nine tenths of the usual requests were admitted. */
function backAt(log: readonly ProviderLogEntry[], before: readonly ProviderLogEntry[]): number {
  const usual = before.filter(({ at, admitted }) => admitted && at >= MINUTE_MS).length / 36;
  for (let from = RESTORED_AT; from < END - 5_000; from += 1_000) {
    const admitted = log.filter(({ at, admitted }) => admitted && at >= from && at < from + 5_000).length;
    if (admitted >= 0.9 * usual) return from + 5_000;
  }
  return Number.POSITIVE_INFINITY;
}

const percent = (value: number): string => `${(value * 100).toFixed(2)} %`;
console.log(
  `${"".padEnd(34)}${["goodput", "429s", "sends/call", "halved", "429s then", "back"].map((title) => title.padStart(11)).join("")}`,
);
for (const [name, candidate] of Object.entries(CANDIDATES)) {
  if (candidate.slow === true && !process.argv.includes("--all")) continue;
  const all: Figures[] = [];
  for (const seed of candidate.seeds ?? OUR_SEEDS) all.push(await run(candidate, seed));
  const of = (figure: keyof Figures): number => median(all.map((figures) => figures[figure]));
  const cells = [
    percent(of("goodput")),
    percent(of("refused")),
    of("sends").toFixed(3),
    percent(of("halved")),
    String(of("refusedHalved")),
    `${(of("backMs") / 1_000).toFixed(0)} s`,
  ];
  console.log(`${name.padEnd(34)}${cells.map((cell) => cell.padStart(11)).join("")}`);
}
