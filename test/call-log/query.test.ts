import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type CallFilter, type CallQuery, type CallRow, callLog, QUERY_DEFAULTS } from "../../src/call-log/index.ts";
import { OptionError } from "../../src/index.ts";
import { rigged, tellOfCall } from "./support.ts";

const MODELS = ["gpt-5", "gpt-5-mini", "o'hara; DROP TABLE"];
const ROUTES = [undefined, "faq", "summarize"];

describe("pages of the log", () => {
  it("are those of the rows that fulfil every filter, in the order that was asked for", {
    timeout: 60_000,
  }, async () => {
    const { clock, optimizer } = rigged({ monitor: { prices: { "gpt-5": { input: 1, output: 10 } } } });
    await using log = callLog(optimizer, { path: ":memory:" });
    for (let n = 0; n < 300; n++) {
      await clock.advance(1_000);
      tellOfCall(optimizer, {
        model: MODELS[n % 3] as string,
        route: ROUTES[(n >> 1) % 3],
        durationMs: (n * 37) % 100,
        stream: n % 5 === 0,
        servedBy: n % 4 === 0 ? "cache" : "upstream",
        usage: { inputTokens: (n * 13) % 50, outputTokens: n % 7 },
      });
    }
    const all: CallRow[] = [];
    for await (const row of log.rows()) all.push(row);
    expect(all).toHaveLength(300);
    const times = all.map(({ startedAt }) => startedAt);
    const oneOrMore = <T>(values: readonly T[]) =>
      fc.oneof(fc.constantFrom(...values), fc.uniqueArray(fc.constantFrom(...values), { minLength: 1 }));
    const filter: fc.Arbitrary<CallFilter> = fc.record(
      {
        model: oneOrMore(MODELS),
        route: oneOrMore(["faq", "summarize", "unknown"]),
        servedBy: oneOrMore(["cache", "primary"]),
        outcome: fc.constantFrom("success", "error"),
        stream: fc.boolean(),
        from: fc.constantFrom(...times),
        to: fc.constantFrom(...times).map((time) => new Date(time)),
        minDuration: fc.nat(100),
        minCost: fc.double({ min: 0, max: 0.0001, noNaN: true }),
      },
      { requiredKeys: [] },
    );
    const query: fc.Arbitrary<CallQuery> = fc
      .tuple(
        filter,
        fc.record(
          {
            page: fc.integer({ min: 1, max: 5 }),
            perPage: fc.integer({ min: 1, max: 120 }),
            sort: fc.constantFrom("-startedAt", "startedAt", "durationMs", "-durationMs", "-inputTokens"),
          },
          { requiredKeys: [] },
        ),
      )
      .map(([chosen, page]) => ({ ...chosen, ...page }) as CallQuery);
    await fc.assert(
      fc.asyncProperty(query, async (asked) => {
        const { page = QUERY_DEFAULTS.page, perPage = QUERY_DEFAULTS.perPage, sort = QUERY_DEFAULTS.sort } = asked;
        const wanted = sorted(
          all.filter((row) => fulfils(row, asked)),
          sort,
        );
        const totalPages = Math.ceil(wanted.length / perPage);
        expect(await log.query(asked)).toEqual({
          rows: wanted.slice((page - 1) * perPage, page * perPage),
          total: wanted.length,
          totalPages,
          page,
          perPage,
          hasNext: page < totalPages,
          hasPrev: page > 1,
        });
      }),
      { numRuns: 150 },
    );
    await optimizer.close();
  });

  it("are none of an empty log", async () => {
    const { optimizer } = rigged();
    await using log = callLog(optimizer, { path: ":memory:" });
    const empty = { rows: [], total: 0, totalPages: 0, page: 1, perPage: 50, hasNext: false, hasPrev: false };
    expect(await log.query()).toEqual(empty);
    await optimizer.close();
  });

  it("are refused where the query makes no sense", async () => {
    const { optimizer } = rigged();
    await using log = callLog(optimizer, { path: ":memory:" });
    const wrong: [unknown, string][] = [
      [{ page: 0 }, "calls.page"],
      [{ perPage: 1_001 }, "calls.perPage"],
      [{ sort: "client" }, "calls.sort"],
      [{ outcome: "great" }, "calls.outcome"],
      [{ model: [] }, "calls.model"],
      [{ model: [1] }, "calls.model"],
      [{ from: "yesterday" }, "calls.from"],
      [{ minDuration: "soon" }, "calls.minDuration"],
      [{ modell: "gpt-5" }, "calls.modell"],
    ];
    for (const [query, option] of wrong) {
      await expect(log.query(query as CallQuery), option).rejects.toMatchObject({ option });
    }
    expect(() => log.csv({ stream: 1 } as never)).toThrow(OptionError);
    expect(() => log.rows({ page: 2 } as never)).toThrow(OptionError);
    await optimizer.close();
  });
});

function fulfils(row: CallRow, { from, to, minDuration, minCost, stream, ...texts }: CallQuery): boolean {
  const { page: _page, perPage: _perPage, sort: _sort, ...fields } = texts;
  if (from !== undefined && row.startedAt < Number(from)) return false;
  if (to !== undefined && row.startedAt >= Number(to)) return false;
  if (minDuration !== undefined && row.durationMs < Number(minDuration)) return false;
  if (minCost !== undefined && (row.cost === null || row.cost < minCost)) return false;
  if (stream !== undefined && row.stream !== stream) return false;
  return Object.entries(fields).every(([field, wanted]) =>
    [wanted].flat().includes(row[field as keyof CallRow] as never),
  );
}

function sorted(rows: readonly CallRow[], sort: string): CallRow[] {
  const field = sort.replace("-", "") as "durationMs";
  const sign = sort.startsWith("-") ? -1 : 1;
  return rows.toSorted((a, b) => sign * (a[field] - b[field] || a.id - b.id));
}
