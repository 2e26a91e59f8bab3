import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { csvCell } from "../../src/call-log/export.ts";
import { type CallRow, callLog } from "../../src/call-log/index.ts";
import { temporaryFolder } from "../stores/support.ts";
import { exported, rigged, tellOfCall } from "./support.ts";

const folder = temporaryFolder();

async function textOf(pieces: AsyncIterable<string>): Promise<string> {
  let text = "";
  for await (const piece of pieces) text += piece;
  return text;
}

/** Reads CSV by the grammar of RFC 4180 section 2. */
function readCsv(text: string): string[][] {
  const lines: string[][] = [];
  const cell = /(?:"((?:[^"]|"")*)"|([^",\r\n]*))(,|\r\n)/gy;
  let line: string[] = [];
  while (cell.lastIndex < text.length) {
    const at = cell.lastIndex;
    const match = cell.exec(text);
    if (match === null) throw new Error(`Not CSV at ${at}`);
    line.push(match[1]?.replaceAll('""', '"') ?? match[2] ?? "");
    if (match[3] === ",") continue;
    lines.push(line);
    line = [];
  }
  return lines;
}

describe("the log as CSV", () => {
  it("has a line of names, and every row with every field", async () => {
    const { optimizer } = rigged();
    await using log = callLog(optimizer, { path: ":memory:" });
    tellOfCall(optimizer, { model: 'a "quoted", model\r\nof two lines', route: "=HYPERLINK(1)" });
    tellOfCall(optimizer, { model: "plain" });
    const [names = [], ...lines] = readCsv(await textOf(log.csv()));
    const { rows } = await log.query({ sort: "startedAt" });
    expect(names).toEqual(Object.keys(rows[0] as CallRow));
    const told = lines.map((cells) => Object.fromEntries(cells.map((cell, at) => [names[at], cell])));
    expect(told[0]).toMatchObject({
      model: 'a "quoted", model\r\nof two lines',
      route: "'=HYPERLINK(1)",
      startedAt: new Date(rows[0]?.startedAt ?? 0).toISOString(),
      stream: "false",
      errorType: "",
    });
    expect(told.map(({ model }) => model)).toHaveLength(2);
    expect(await textOf(log.csv({ model: "plain" }))).toMatch(/^id,.*\r\n2,.*\r\n$/);
    await optimizer.close();
  });

  it("gives back any text, and never one that a spreadsheet takes for a formula", () => {
    const text = fc.oneof(fc.string({ unit: "binary" }), fc.stringMatching(/^[=+\-@\t\r\n",'x]{0,6}$/));
    fc.assert(
      fc.property(fc.array(text, { minLength: 1, maxLength: 5 }), (cells) => {
        const [read = []] = readCsv(`${cells.map(csvCell).join(",")}\r\n`);
        expect(read).toHaveLength(cells.length);
        read.forEach((cell, at) => {
          expect(cell).not.toMatch(/^[=+\-@\t\r\n]/);
          expect(cell.replace(/^'/, "")).toBe((cells[at] as string).replace(/^'/, ""));
        });
      }),
    );
  });
});

describe("the log as JSON lines", () => {
  it("has every row on a line of its own", async () => {
    const { optimizer } = rigged();
    await using log = callLog(optimizer, { path: ":memory:" });
    for (let n = 0; n < 600; n++) tellOfCall(optimizer, { model: `m\n${n}` });
    const lines = (await textOf(log.jsonLines())).split("\n");
    expect(lines.pop()).toBe("");
    expect(lines.map((line) => JSON.parse(line).model)).toEqual(Array.from({ length: 600 }, (_, n) => `m\n${n}`));
    await optimizer.close();
  });

  it("leaves out calls that are logged while it is read, and can be left early", async () => {
    const { optimizer } = rigged();
    await using log = callLog(optimizer, { path: ":memory:" });
    for (let n = 0; n < 600; n++) tellOfCall(optimizer);
    let read = 0;
    for await (const _row of log.rows()) {
      read++;
      if (read % 100 === 0) tellOfCall(optimizer);
      if (read % 100 === 0) await log.flush();
    }
    expect(read).toBe(600);
    for await (const row of log.rows()) if (row.id === 3) break;
    expect((await log.query()).total).toBe(606);
    await optimizer.close();
  });
});

describe("many rows", () => {
  it("are exported with a heap that could not hold them", { timeout: 60_000 }, async () => {
    const { lines, csvMegabytes, jsonMegabytes } = await exported(join(folder, "many.db"), 30_000, 28);
    expect(lines).toBe(30_001);
    expect(csvMegabytes + jsonMegabytes).toBeGreaterThan(20);
  });
});
