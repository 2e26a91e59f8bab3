import type { SqlValue } from "../sqlite/index.ts";
import type { Condition } from "./query.ts";
import { type CallRow, ROW_FIELDS, rowOf, TABLE } from "./row.ts";

// To write out one batch takes about a millisecond.
const BATCH_ROWS = 250;

type Read = (sql: string, parameters: readonly SqlValue[]) => Promise<readonly Record<string, SqlValue>[]>;

/** Every row there is now that fulfils the condition, oldest first; a few at a time, each only when it is asked for. */
export async function* batchesOf(read: Read, { sql, values }: Condition): AsyncGenerator<readonly CallRow[]> {
  const [newest] = await read(`SELECT max(id) AS id FROM ${TABLE}`, []);
  const last = newest?.["id"] ?? 0;
  const next = `SELECT * FROM ${TABLE} WHERE id > ? AND id <= ? AND ${sql} ORDER BY id LIMIT ${BATCH_ROWS}`;
  let after: SqlValue = 0;
  for (;;) {
    const rows: readonly CallRow[] = (await read(next, [after, last, ...values])).map(rowOf);
    if (rows.length > 0) yield rows;
    if (rows.length < BATCH_ROWS) return;
    after = rows.at(-1)?.id ?? 0;
  }
}

/** CSV as RFC 4180 has it: a line of names, CRLF after every line. `startedAt` is written as ISO 8601. */
export async function* csvOf(batches: AsyncIterable<readonly CallRow[]>): AsyncGenerator<string> {
  yield `${ROW_FIELDS.join(",")}\r\n`;
  for await (const rows of batches) yield rows.map(csvLine).join("");
}

/** One JSON object a line. */
export async function* jsonLinesOf(batches: AsyncIterable<readonly CallRow[]>): AsyncGenerator<string> {
  for await (const rows of batches) yield rows.map((row) => `${JSON.stringify(row)}\n`).join("");
}

function csvLine(row: CallRow): string {
  const cells = ROW_FIELDS.map((field) => csvCell(field === "startedAt" ? isoTime(row.startedAt) : row[field]));
  return `${cells.join(",")}\r\n`;
}

function isoTime(ms: number): string {
  return new Date(ms).toISOString();
}

// What a spreadsheet takes for the beginning of a formula, its full-width forms included (OWASP, "CSV Injection").
const FORMULA = /^[=+\-@\t\r\n\uff1d\uff0b\uff0d\uff20]/;
const SPECIAL = /[",\r\n]/;

/** One cell: quoted where it must be, and with an apostrophe before what a spreadsheet would run. */
export function csvCell(value: string | number | boolean | null): string {
  if (value === null) return "";
  if (typeof value !== "string") return String(value);
  const harmless = FORMULA.test(value) ? `'${value}` : value;
  return SPECIAL.test(harmless) ? `"${harmless.replaceAll('"', '""')}"` : harmless;
}
