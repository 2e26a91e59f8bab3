/** Fingerprints pairs of requests that differ in one field and counts collisions; then what a key costs. */
import { fingerprintOf, seededRandom } from "../src/core/index.ts";
import { changedInOneField, randomRequest } from "../test/support/requests.ts";
import { medianMicroseconds } from "./measure.ts";

const PAIRS = 1_000_000;
const random = seededRandom(Number(process.env["SEED"] ?? 1));
let [keys, checks] = [0, 0];
const startedAt = performance.now();
for (let pair = 0; pair < PAIRS; pair++) {
  const request = randomRequest(random);
  const [one, other] = [fingerprintOf(request), fingerprintOf(changedInOneField(request, random))];
  if (one.key === other.key) keys++;
  if (one.check === other.check) checks++;
}
const seconds = ((performance.now() - startedAt) / 1000).toFixed(1);
console.log(`${PAIRS.toLocaleString("en")} pairs that differ in one field, ${seconds} s`);
console.log(`collisions of keys: ${keys}, of checks: ${checks}\n`);

const prompt = "What is the weather like on a Monday in November? ";
const ofSize = (chars: number, n: number) => ({
  model: "m",
  temperature: 0,
  messages: [
    { role: "system", content: `${n}` },
    { role: "user", content: prompt.repeat(Math.ceil(chars / prompt.length)).slice(0, chars) },
  ],
});
const sizes = [1_000, 2_000, 10_000, 100_000];
const costs = await medianMicroseconds(
  Object.fromEntries(
    sizes.map((chars) => [
      `${chars.toLocaleString("en")} characters`,
      { calls: Math.ceil(2_000_000 / chars), run: async (n: number) => fingerprintOf(ofSize(chars, n)) },
    ]),
  ),
);
console.log("microseconds a key, both digests, median of 9 rounds");
for (const [name, microseconds] of Object.entries(costs))
  console.log(name.padEnd(20), microseconds.toFixed(1).padStart(8));
if (keys + checks > 0) process.exitCode = 1;
