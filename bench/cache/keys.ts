/**
 * What a key costs, beside two usual ways to make one; then pairs of requests that differ in one field, and whether any
 * two have the same key. `PAIRS=10000000` for more of them.
 */
import { hash } from "node:crypto";
import { Call, Cancellation, DEFAULT_SCOPE, fingerprintOf, seededRandom } from "../../src/core/index.ts";
import { openaiWire, readRequest } from "../../src/providers/openai/index.ts";
import { changedInOneField, type JsonObject, randomRequest } from "../../test/support/requests.ts";
import { medianMicroseconds } from "../measure.ts";

const tools = ["search", "weather", "route", "price", "stock"].map((name) => ({
  type: "function",
  function: {
    name,
    description: "Looks something up and gives what it finds.",
    parameters: { type: "object", properties: { query: { type: "string" }, limit: { type: "integer" } } },
  },
}));
const prompt = "What is the weather like on a Monday in November? ";

/** A request of five tools and a prompt of so many characters, another one for each `n`. */
function requestOf(chars: number, n: number): JsonObject {
  const content = prompt.repeat(Math.ceil(chars / prompt.length)).slice(0, chars);
  const messages = [
    { role: "system", content: `${n}` },
    { role: "user", content },
  ];
  return { model: "m", temperature: 0, messages, tools };
}

/** As packages for stable JSON do it: names in order, everything else as `JSON.stringify` has it. */
function stableStringify(value: unknown): string {
  if (typeof value !== "object" || value === null) return JSON.stringify(value);
  if (Array.isArray(value)) return `[${value.map(stableStringify).join(",")}]`;
  const members = Object.entries(value).sort(([left], [right]) => (left < right ? -1 : 1));
  return `{${members.map(([name, member]) => `${JSON.stringify(name)}:${stableStringify(member)}`).join(",")}}`;
}

const reading = readRequest("POST", new URL("https://api.openai.com/v1/chat/completions"), '{"model":"m"}');
if (reading === undefined) throw new Error("not read");
const details = { ...reading, credential: "k", wire: openaiWire, scope: DEFAULT_SCOPE };
const send = () => Promise.reject(new Error("not sent"));

function keyOfCall(request: JsonObject) {
  const cancellation = new Cancellation();
  return Call.start({ ...details, request, inputChars: 0, cancellation, send }, 0).fingerprint();
}

const ways: Readonly<Record<string, (request: JsonObject) => unknown>> = {
  "key of a call": keyOfCall,
  "  of it, both digests": fingerprintOf,
  "JSON.stringify + SHA-256": (request) => hash("sha256", JSON.stringify(request)),
  "stable JSON + SHA-256": (request) => hash("sha256", stableStringify(request)),
};

console.log("microseconds a key, median of 9 rounds");
const sizes = [1_000, 10_000, 100_000, 1_000_000];
console.log(" ".repeat(26), ...sizes.map((chars) => `${chars / 1000} KB`.padStart(10)));
const table = Object.fromEntries(Object.keys(ways).map((name): [string, number[]] => [name, []]));
for (const chars of sizes) {
  const calls = Math.ceil(2_000_000 / chars);
  const candidates = Object.entries(ways).map(([name, way]) => {
    return [name, { calls, run: async (n: number) => way(requestOf(chars, n)) }] as const;
  });
  const costs = await medianMicroseconds(Object.fromEntries(candidates));
  for (const [name, microseconds] of Object.entries(costs)) table[name]?.push(microseconds);
}
for (const [name, costs] of Object.entries(table)) {
  console.log(name.padEnd(26), ...costs.map((microseconds) => microseconds.toFixed(1).padStart(10)));
}

const pairs = Number(process.env["PAIRS"] ?? 1_000_000);
const random = seededRandom(Number(process.env["SEED"] ?? 1));
let [keys, checks] = [0, 0];
const startedAt = performance.now();
for (let pair = 0; pair < pairs; pair++) {
  const request = randomRequest(random);
  const [one, other] = [fingerprintOf(request), fingerprintOf(changedInOneField(request, random))];
  if (one.key === other.key) keys++;
  if (one.check === other.check) checks++;
}
const seconds = ((performance.now() - startedAt) / 1000).toFixed(1);
console.log(`\n${pairs.toLocaleString("en")} pairs that differ in one field, ${seconds} s`);
console.log(`collisions of keys: ${keys}, of checks: ${checks}`);
if (keys + checks > 0) process.exitCode = 1;
