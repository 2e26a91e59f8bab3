import { describe, expect, it } from "vitest";
import { Cancellation, valueReply, whole } from "../../../src/core/index.ts";
import { exactIndex, type SemanticOptions } from "../../../src/policies/semantic/index.ts";
import { callOf } from "../../support/calls.ts";
import { hashedEmbed } from "../../support/hashed-embedder.ts";
import { questionWire } from "../../support/question-wire.ts";
import { HOURS, OTHER, payload, SIMILAR, stage } from "./stage.ts";

describe("an embedder or an index that fails", () => {
  it.each<[string, SemanticOptions["embed"]]>([
    [
      "throws",
      () => {
        throw new Error("down");
      },
    ],
    ["rejects", () => Promise.reject(new Error("down"))],
    ["gives nothing", async () => []],
    ["gives no numbers", async () => [[Number.NaN]]],
    ["never answers", () => new Promise(() => {})],
  ])("is a miss: the embedder %s", async (_name, embed) => {
    const on = stage();
    const broken = stage({ embed });
    await on.ask(HOURS);
    expect(await broken.served(HOURS)).toBe(false);
    expect(await broken.served(SIMILAR)).toBe(false);
    expect(broken.policy.snapshot()).toMatchObject({ entries: 0, failures: { embed: 2 } });
    expect(JSON.stringify(broken.events)).not.toContain("opening");
    expect(broken.clock.pendingTimers).toBe(0);
  });

  it("costs a call its time limit at most, and its signal is aborted", async () => {
    let slow = false;
    let aborted = false;
    const embed: SemanticOptions["embed"] = (texts, { signal }) => {
      if (!slow) return hashedEmbed(texts);
      signal.addEventListener("abort", () => {
        aborted = true;
      });
      return new Promise(() => {});
    };
    const on = stage({ embed, embedTimeout: "150ms" });
    await on.ask(HOURS);
    slow = true;
    const startedAt = on.clock.now();
    expect(await on.served(SIMILAR)).toBe(false);
    expect(on.clock.now() - startedAt).toBe(150);
    expect(aborted).toBe(true);
    expect(payload(on, "semantic.failed")).toMatchObject({ part: "embed", error: "TIMEOUT" });
  });

  it("is a miss: the index throws or never answers", async () => {
    for (const search of [() => Promise.reject(new Error("down")), () => new Promise<never>(() => {})]) {
      const on = stage({ index: { ...exactIndex(), search } });
      await on.ask(HOURS);
      expect(await on.served(SIMILAR)).toBe(false);
      expect(on.policy.snapshot().failures.index).toBe(1);
    }
    const full = () => {
      throw new Error("full");
    };
    const on = stage({ index: { ...exactIndex(), add: full, delete: full } });
    await on.ask(HOURS);
    on.policy.clear();
    expect(on.policy.snapshot().failures.index).toBe(2);
  });

  it("may propose what is not there, or what belongs to others", async () => {
    const ids: string[] = [];
    const index = {
      ...exactIndex(),
      add: (_partition: string, id: string) => void ids.push(id),
      search: () => ["x", ...ids],
    };
    const on = stage({ index });
    await on.ask(HOURS, { scope: { client: "a" } });
    await on.ask(OTHER, { scope: { client: "b" } });
    expect(await on.served(HOURS, { scope: { client: "b" } })).toBe(false);
  });

  it("lets a caller go at once who gives up while it waits", async () => {
    let wait = false;
    const embed: SemanticOptions["embed"] = (texts) => (wait ? new Promise(() => {}) : hashedEmbed(texts));
    const on = stage({ embed });
    await on.ask(HOURS);
    wait = true;
    const cancellation = new Cancellation();
    const call = callOf(on.runtime, async () => valueReply("", whole()), {
      request: { input: SIMILAR },
      wire: questionWire,
      cancellation,
    });
    const outcome = on.line.execute(call);
    cancellation.cancel("enough");
    expect(await outcome).toMatchObject({ ok: false, kind: "aborted" });
    expect(cancellation.listenerCount).toBe(0);
    expect(on.clock.pendingTimers).toBe(0);
    expect(on.policy.snapshot().failures.embed).toBe(0);
  });
});
