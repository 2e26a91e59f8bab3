import { readFileSync } from "node:fs";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { openaiWire, readCredential, readRequest } from "../../src/providers/openai/index.ts";
import { callOf, virtualRuntime } from "../support/calls.ts";

const { runtime } = virtualRuntime();
const unused = () => Promise.reject(new Error("not sent"));

const ORIGIN = "https://api.openai.com/v1/";
const PATHS = { chat: "chat/completions", responses: "responses", embeddings: "embeddings" } as const;

function callTo(api: keyof typeof PATHS, request: object, headers: Record<string, string> = {}) {
  const body = JSON.stringify({ model: "m", ...request });
  const given = new Headers({ authorization: "Bearer sk", ...headers });
  const reading = readRequest("POST", new URL(ORIGIN + PATHS[api]), body, given);
  if (reading === undefined) throw new Error("not read");
  return callOf(runtime, unused, { ...reading, credential: readCredential(given), wire: openaiWire });
}

/** The parameters of a request, as the types of the SDK have them. */
function parametersOf(file: string, type: string): string[] {
  const path = new URL(`../../node_modules/openai/resources/${file}.d.ts`, import.meta.url);
  const [, body = ""] = readFileSync(path, "utf8").split(`export interface ${type} {`);
  return [...(body.split("\n}")[0] ?? "").matchAll(/^ {4}(\w+)\??:/gm)].map((match) => match[1] as string);
}

const OUTSIDE = [
  "metadata",
  "prompt_cache_key",
  "prompt_cache_options",
  "prompt_cache_retention",
  "safety_identifier",
  "service_tier",
  "store",
  "stream",
  "stream_options",
  "user",
];
const STATE = {
  web_search_options: {},
  previous_response_id: "r",
  conversation: "c",
  background: true,
  prompt: { id: "p" },
};

const APIS = [
  { api: "chat", file: "chat/completions/completions", type: "ChatCompletionCreateParamsBase", least: 37 },
  { api: "responses", file: "responses/responses", type: "ResponseCreateParamsBase", least: 30 },
  { api: "embeddings", file: "embeddings", type: "EmbeddingCreateParams", least: 5 },
] as const;

describe("every parameter that the SDK knows", () => {
  it.each(APIS)("is in the key, outside for a reason, or keeps the answer from the cache: $api", (row) => {
    const { api, file, type, least } = row;
    const parameters = parametersOf(file, type);
    expect(parameters.length).toBeGreaterThanOrEqual(least);
    const outside = api === "embeddings" ? [...OUTSIDE, "encoding_format"] : OUTSIDE;
    const without = callTo(api, {}).fingerprint()?.key;
    for (const name of parameters) {
      const value = STATE[name as keyof typeof STATE] ?? "float";
      const call = callTo(api, { [name]: value });
      const key = call.fingerprint()?.key;
      if (name in STATE) expect([name, "bypass" in call.identity, key]).toEqual([name, true, undefined]);
      else expect([name, key === without]).toEqual([name, outside.includes(name)]);
    }
  });
});

describe("headers", () => {
  const keyWith = (headers: Record<string, string>) => callTo("chat", { messages: [] }, headers).fingerprint()?.key;

  it.each(["openai-beta", "openai-version", "openai-organization", "openai-project", "x-gateway-route", "cookie"])(
    "%s is in the key",
    (name) => {
      const keys = [keyWith({}), keyWith({ [name]: "a" }), keyWith({ [name]: "b" })];
      expect(new Set(keys).size).toBe(3);
    },
  );

  it.each([
    "x-stainless-retry-count",
    "idempotency-key",
    "user-agent",
    "traceparent",
    "x-request-id",
    "content-length",
  ])("%s is not", (name) => {
    expect(keyWith({ [name]: "1" })).toBe(keyWith({}));
  });
});

/** Names that try to pass for one another: delimiters, prefixes, nothing at all. */
const name = fc.oneof(
  fc.constantFrom(
    "a",
    "a/",
    "/a",
    "a/b",
    "b",
    "a:b",
    ":",
    "a\u0000",
    "null",
    "undefined",
    "s1:a",
    "z",
    "*",
    "é",
    "e\u0301",
  ),
  fc.string({ unit: "binary", minLength: 1, maxLength: 6 }),
);
const optionalName = fc.option(name, { nil: undefined });

const asker = fc.record({
  provider: name,
  endpoint: name,
  model: name,
  credential: name,
  client: optionalName,
  route: optionalName,
  input: name,
});

type Asker = typeof asker extends fc.Arbitrary<infer T> ? T : never;

function callFrom({ client, route, input, ...details }: Asker) {
  const request = { messages: [{ role: "user", content: input }] };
  return callOf(runtime, unused, { ...details, request, wire: openaiWire, scope: { client, route } });
}

const fields = ["provider", "endpoint", "model", "credential", "client", "route", "input"] as const;

describe("keys of different askers", () => {
  it("are different, whatever they are called", () => {
    fc.assert(
      fc.property(asker, asker, (one, other) => {
        const same = fields.every((field) => one[field] === other[field]);
        const [left, right] = [callFrom(one).fingerprint(), callFrom(other).fingerprint()];
        expect(left?.key === right?.key).toBe(same);
        expect(left?.check === right?.check).toBe(same);
      }),
      { numRuns: 5000 },
    );
  });

  it("are different where a part moves from one name to the next", () => {
    const halves = fc.tuple(fc.constantFrom(...fields), fc.constantFrom(...fields), name, name);
    fc.assert(
      fc.property(asker, halves, (base, [from, to, first, second]) => {
        fc.pre(from !== to);
        const one = { ...base, [from]: first + second, [to]: first };
        const other = { ...base, [from]: first, [to]: second + first };
        const same = fields.every((field) => one[field] === other[field]);
        expect(callFrom(one).fingerprint()?.key === callFrom(other).fingerprint()?.key).toBe(same);
      }),
      { numRuns: 5000 },
    );
  });

  it("are the same for all credentials and clients only where the cache is shared", () => {
    fc.assert(
      fc.property(asker, name, name, (one, credential, client) => {
        fc.pre(credential !== one.credential);
        const other = { ...one, credential, client };
        expect(callFrom(one).fingerprint(true)).toEqual(callFrom(other).fingerprint(true));
        expect(callFrom(one).fingerprint()?.key).not.toBe(callFrom(other).fingerprint()?.key);
        expect(callFrom(one).fingerprint(true)?.key).not.toBe(callFrom(one).fingerprint()?.key);
      }),
      { numRuns: 1000 },
    );
  });

  it("tell nothing of the prompt and of the credential", () => {
    const call = callFrom({ ...fc.sample(asker, { numRuns: 1, seed: 1 })[0], input: "a secret prompt" } as Asker);
    expect(JSON.stringify(call.fingerprint())).not.toContain("secret");
  });
});
