import { describe, expect, it } from "vitest";
import { createFetch } from "../../src/clients/index.ts";
import { type Call, type Policy, pipeline } from "../../src/core/index.ts";
import { embeddings } from "./support/answers.ts";
import { json, startServer } from "./support/server.ts";

/** A policy that asks for something else than the caller did. */
const asking = (change: (call: Call) => Call): Policy => ({
  name: "other",
  ring: "call",
  handle: (call, next) => next(change(call)),
});

const shorter = asking((call) => call.with({ request: { model: "m", input: ["é"] }, inputChars: 1 }));
const body = JSON.stringify({ model: "m", input: ["a", "b", "c"] });

describe("a call whose request a policy has changed", () => {
  it.each(["text", "a Request"])(
    "sends the other one, with the caller's headers and the new length: %s",
    async (form) => {
      await using server = await startServer(json(embeddings));
      const length = String(body.length);
      const headers = { "content-type": "application/json", authorization: "Bearer k", "content-length": length };
      const url = `${server.url}/embeddings`;
      const init = { method: "POST", headers, body };
      const send = createFetch(pipeline(shorter));
      const response = await (form === "text" ? send(url, init) : send(new Request(url, init)));
      expect(await response.json()).toEqual(embeddings);
      const [seen] = server.seen;
      expect(JSON.parse(String(seen?.body))).toEqual({ model: "m", input: ["é"] });
      expect(seen?.headers).toMatchObject({ authorization: "Bearer k", "content-length": String(seen?.body.length) });
    },
  );

  it("sends the caller's own bytes where nothing was changed", async () => {
    await using server = await startServer(json(embeddings));
    const spaced = body.replaceAll(",", " , ");
    const same = asking((call) => call.with({ attempt: 1 }));
    await createFetch(pipeline(same))(`${server.url}/embeddings`, { method: "POST", body: spaced });
    expect(String(server.seen[0]?.body)).toBe(spaced);
  });

  it("has a key of its own", async () => {
    const keys: (string | undefined)[] = [];
    const noting = asking((call) => {
      const other = call.with({ request: { model: "m", input: "x" } });
      keys.push(call.fingerprint()?.key, other.fingerprint()?.key);
      return call;
    });
    const send = createFetch(pipeline(noting), { fetch: async () => Response.json(embeddings) });
    await send("https://a.example/v1/embeddings", { method: "POST", body });
    expect(new Set(keys).size).toBe(2);
  });
});

it.each(["content-digest", "x-amz-content-sha256", "signature"])(
  "a body that %s vouches for is not taken apart",
  async (name) => {
    const split: boolean[] = [];
    const noting = asking((call) => {
      split.push(call.wire.split?.(call) !== undefined);
      return call;
    });
    const fetch = createFetch(pipeline(noting), { fetch: async () => Response.json(embeddings) });
    const ask = (headers: Record<string, string>) =>
      fetch("https://a.example/v1/embeddings", { method: "POST", headers, body });
    await ask({});
    await ask({ [name]: "x" });
    expect(split).toEqual([true, false]);
  },
);
