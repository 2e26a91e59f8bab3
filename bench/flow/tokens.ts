/**
 * The error of estimated prompts on recorded ones, as a share of the tokens that their provider billed, median and 90th
 * percentile. Every method learns from one half of the prompts and estimates the other. What the estimator believes before
 * the first answer was chosen on random halves of the same prompts: expect a little more on others. Then the share of
 * answers that the estimated output covers, and the time of an estimate.
 */
import { TokenEstimator } from "../../src/tokens/index.ts";
import { tiktoken } from "../../src/tokens/tiktoken/index.ts";
import { callOf, virtualRuntime } from "../../test/support/calls.ts";
import { callFor, type HeldOut, heldOut, type Method, quantile, RECORDED } from "../../test/tokens/recorded-prompts.ts";
import { median } from "../measure.ts";

const METHODS: readonly Method[] = ["chars/4", "ratio by model", "estimator", "with tiktoken"];
const percent = (share: number): string => `${(share * 100).toFixed(1)} %`.padStart(8);
const loadingAt = performance.now();
const counter = tiktoken();
const loadedMs = performance.now() - loadingAt;
const rows = heldOut(counter);
const providers = [...new Set(rows.map(({ provider }) => provider))].filter((name) => rowsOf(name).length >= 3);

console.log(
  `${"".padEnd(12)} ${"n".padStart(4)}  ${METHODS.map((name) => name.padStart(18)).join("  ")}  ratio to chars/4`,
);
for (const provider of ["all", ...providers]) {
  const some = rowsOf(provider);
  const errorsOf = (method: Method): number[] => some.map(({ errors }) => errors[method]);
  const cells = METHODS.map(
    (method) => `${percent(median(errorsOf(method)))} ${percent(quantile(errorsOf(method), 0.9))}`,
  );
  const ratio = median(errorsOf("estimator")) / median(errorsOf("chars/4"));
  console.log(
    `${provider.padEnd(12)} ${String(some.length).padStart(4)}  ${cells.map((cell) => cell.padStart(18)).join("  ")}  ${ratio.toFixed(2)}`,
  );
}

const counted = rows.filter((row) => row.counted);
const exact = counted.filter(({ errors }) => errors["with tiktoken"] === 0).length;
console.log(
  `\ntiktoken counted ${counted.length} of ${rows.length}, ${exact} of them to the token; loading it took ${loadedMs.toFixed(0)} ms`,
);
const covered = rows.filter(({ output: [estimated, real] }) => real <= estimated).length;
console.log(
  `the estimated output covered ${covered} of ${rows.length} answers, by model and route; wanted: four of five`,
);

const { runtime } = virtualRuntime();
const unsent = (): never => {
  throw new Error("not to be sent");
};
const estimator = new TokenEstimator();
for (const row of RECORDED) {
  estimator.learn(callFor(row), { inputTokens: row.input_tokens, outputTokens: row.output_tokens });
}
console.log("\nmicroseconds of one estimate and one lesson: median and 90th percentile of 2,000");
const TEXTS: Readonly<Record<string, string>> = {
  "500 characters of English": "The quick brown fox jumps over the lazy dog. ".repeat(12).slice(0, 500),
  "1,400 characters of English": "The quick brown fox jumps over the lazy dog. ".repeat(40).slice(0, 1_400),
  "8,000 characters of Chinese": "天地玄黄宇宙洪荒".repeat(1_000),
  "1,000,000 times x": "x".repeat(1_000_000),
};
for (const [name, content] of Object.entries(TEXTS)) {
  const request = { messages: [{ role: "user", content }] };
  const call = callOf(runtime, unsent, { provider: "openai", model: "gpt-4o", request, inputChars: content.length });
  const measured = [undefined, counter].map((given) => {
    const times: number[] = [];
    for (let n = 0; n < 2_200; n++) {
      const startedAt = performance.now();
      estimator.estimate(call, given);
      estimator.learn(call, { inputTokens: Math.round(content.length / 4), outputTokens: 100 });
      times.push((performance.now() - startedAt) * 1000);
    }
    const warm = times.slice(200);
    return `${median(warm).toFixed(1).padStart(7)} ${quantile(warm, 0.9).toFixed(1).padStart(7)}`;
  });
  console.log(`${name.padEnd(28)} ${measured[0]}   with tiktoken ${measured[1]}`);
}

function rowsOf(provider: string): HeldOut[] {
  return rows.filter((row) => provider === "all" || row.provider === provider);
}
