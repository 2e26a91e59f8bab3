export type Cell = string | number | undefined;

/** A section title, or a row: its label and one cell a column. */
export type Row = string | readonly [label: string, ...cells: Cell[]];

/** An aligned text table: labels to the left, numbers to the right. */
export function formatTable(columns: readonly string[], rows: readonly Row[]): string {
  const body = rows.map((row) => (typeof row === "string" ? row : row.map(show)));
  const widths = ["", ...columns].map((column, index) =>
    Math.max(column.length, ...body.map((row) => (typeof row === "string" ? 0 : (row[index]?.length ?? 0)))),
  );
  const line = (cells: readonly string[]): string =>
    cells
      .map((cell, index) => (index === 0 ? cell.padEnd(widths[0] ?? 0) : cell.padStart((widths[index] ?? 0) + 2)))
      .join("");
  const rule = "-".repeat(line(["", ...columns]).length);
  return [line(["", ...columns]), rule, ...body.map((row) => (typeof row === "string" ? `\n${row}` : line(row)))].join(
    "\n",
  );
}

function show(cell: Cell): string {
  if (cell === undefined) return "-";
  return typeof cell === "number" ? cell.toLocaleString("en-US") : cell;
}

/** The value below which a share of the sorted numbers lies (nearest rank), or `undefined` of none. */
export function quantile(sorted: readonly number[], share: number): number | undefined {
  return sorted.length === 0 ? undefined : sorted[Math.min(sorted.length - 1, Math.ceil(share * sorted.length) - 1)];
}

const BLOCKS = "▁▂▃▄▅▆▇█";

/** A line of bars, one a number, scaled to `max`. */
export function sparkline(values: readonly number[], max: number): string {
  return values
    .map((value) => (value === 0 ? " " : BLOCKS[Math.min(7, Math.floor((value / Math.max(1, max)) * 8))]))
    .join("");
}
