import { describe, expect, it } from "vitest";
import { createFetch, currentScope, runInScope, scoped } from "../../src/clients/index.ts";
import { DEFAULT_SCOPE, OptionError, type Policy, pipeline, type ResolvedScope } from "../../src/core/index.ts";
import { completion, embeddings } from "./support/answers.ts";
import { wrappedClient } from "./support/clients.ts";
import { json, startServer } from "./support/server.ts";

const chat = { model: "gpt-test", messages: [{ role: "user" as const, content: "Hello" }] };

/** A line that notes the scope of each call. */
function noting() {
  const scopes: ResolvedScope[] = [];
  const policy: Policy = {
    name: "note",
    ring: "call",
    handle: (call, next) => {
      scopes.push(call.scope);
      return next(call);
    },
  };
  return { line: pipeline(policy), scopes };
}

describe("runInScope", () => {
  it("gives its scope to everything inside, however deep and after any await", async () => {
    const result = await runInScope({ priority: "high", tags: ["faq"] }, async () => {
      await new Promise((resolve) => setTimeout(resolve, 1));
      return [currentScope().priority, currentScope().tags];
    });
    expect(result).toEqual([3, ["faq"]]);
    expect(currentScope()).toBe(DEFAULT_SCOPE);
  });

  it("nests: what the inner one leaves out comes from the outer one", () => {
    runInScope({ priority: 0, client: "a", deadline: "10s" }, () => {
      runInScope({ client: "b", cache: "refresh" }, () => {
        expect(currentScope()).toMatchObject({ priority: 0, client: "b", deadlineMs: 10_000, cache: "refresh" });
      });
      expect(currentScope()).toMatchObject({ client: "a", cache: "default" });
    });
  });

  it("keeps calls that run at the same time apart", async () => {
    await using server = await startServer(json(completion));
    const { line, scopes } = noting();
    const client = wrappedClient(server, line);
    const names = Array.from({ length: 20 }, (_, index) => `user-${index}`);
    await Promise.all(names.map((name) => runInScope({ client: name }, () => client.chat.completions.create(chat))));
    expect(scopes.map(({ client: name }) => name).sort()).toEqual([...names].sort());
  });

  it("reaches every call of a helper that makes several", async () => {
    await using server = await startServer(json(completion));
    const { line, scopes } = noting();
    await runInScope({ client: "a" }, () =>
      wrappedClient(server, line)
        .chat.completions.runTools({ ...chat, tools: [] })
        .finalContent(),
    );
    expect(scopes.map(({ client }) => client)).toEqual(["a"]);
  });

  it("refuses a misspelt or wrong value", () => {
    expect(() => runInScope({ priorty: "high" } as never, () => {})).toThrow(OptionError);
    expect(() => runInScope({ deadline: "soon" as never }, () => {})).toThrow(OptionError);
  });
});

describe("scoped", () => {
  it("gives one call of the SDK its own scope, and none of it reaches the wire", async () => {
    await using server = await startServer(json(completion));
    const { line, scopes } = noting();
    const client = wrappedClient(server, line);
    await client.chat.completions.create(chat, scoped({ priority: "high", client: "user-1" }));
    await client.chat.completions.create(chat);
    expect(scopes).toMatchObject([{ priority: 3, client: "user-1" }, DEFAULT_SCOPE]);
    const [own, plain] = server.seen;
    expect(own?.rawHeaders).toEqual(plain?.rawHeaders);
    expect(own?.body).toEqual(plain?.body);
  });

  it("keeps the other request options and fetch options", async () => {
    await using server = await startServer(json(embeddings));
    const { line, scopes } = noting();
    const options = scoped({ tags: ["a"] }, { headers: { "x-own": "1" }, fetchOptions: { keepalive: false } });
    expect(options.fetchOptions).toMatchObject({ keepalive: false });
    await wrappedClient(server, line).embeddings.create({ model: "m", input: "a" }, options);
    expect(scopes[0]?.tags).toEqual(["a"]);
    expect(server.seen[0]?.headers["x-own"]).toBe("1");
  });

  it("takes what it leaves out from the code around it", async () => {
    await using server = await startServer(json(completion));
    const { line, scopes } = noting();
    const client = wrappedClient(server, line);
    await runInScope({ client: "a", priority: "low" }, () =>
      client.chat.completions.create(chat, scoped({ priority: "critical" })),
    );
    expect(scopes).toMatchObject([{ client: "a", priority: 1 }]);
  });

  it("works with fetch itself", async () => {
    const { line, scopes } = noting();
    const host = async () => Response.json(completion);
    const init = { method: "POST", body: JSON.stringify(chat), ...scoped({ client: "f" }).fetchOptions };
    await createFetch(line, { fetch: host })("https://api.openai.com/v1/chat/completions", init);
    expect(scopes).toMatchObject([{ client: "f" }]);
  });
});
