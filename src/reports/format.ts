import { escapedHtml, HTML_STYLE } from "./html.ts";
import type { Summary } from "./summary.ts";
import {
  comparisonText,
  degradationsOf,
  figuresOf,
  kindsOf,
  reasonsOf,
  recommendationsOf,
  type Table,
  titleOf,
} from "./words.ts";

interface Chapter {
  readonly title: string;
  readonly text?: string;
  readonly table: Table;
}

/** A summary as Markdown (GitHub's tables). */
export function formatMarkdown(summary: Summary): string {
  const parts = chaptersOf(summary).map(({ title, text, table }) =>
    [`## ${title}`, ...(text === undefined ? [] : [text]), ...(table.length > 1 ? [markdownTable(table)] : [])].join(
      "\n\n",
    ),
  );
  return `${[`# ${titleOf(summary)}`, ...parts].join("\n\n")}\n`;
}

/** A summary as JSON text; what is unknown is absent. */
export function formatJson(summary: Summary): string {
  return `${JSON.stringify(summary, undefined, 2)}\n`;
}

export interface HtmlOptions {
  /** Pictures from `plot`, shown below the figures. Default none. */
  readonly plots?: readonly string[];
}

/** A summary as one HTML page without scripts that needs nothing else, light or dark as its reader prefers. */
export function formatHtml(summary: Summary, { plots = [] }: HtmlOptions = {}): string {
  const title = escapedHtml(titleOf(summary));
  const [figures, ...rest] = chaptersOf(summary).map(htmlOf);
  const pictures = plots.map((svg) => `<figure>${svg}</figure>`).join("\n");
  const head = `<meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1"><title>${title}</title>`;
  return `<!doctype html>
<html lang="en"><head>${head}<style>${HTML_STYLE}</style></head>
<body><main><h1>${title}</h1>
${[figures, pictures, ...rest].join("\n")}
</main></body></html>
`;
}

function chaptersOf(summary: Summary): Chapter[] {
  const reasons = reasonsOf(summary);
  const recommended = recommendationsOf(summary);
  return [
    { title: "All calls", table: figuresOf(summary) },
    ...(reasons.length > 1 ? [{ title: "What takes points from the health", table: reasons }] : []),
    { title: "Compared with before", text: comparisonText(summary), table: degradationsOf(summary) },
    ...(recommended.length > 1 ? [{ title: "Recommendations", table: recommended }] : []),
    { title: "By model", table: kindsOf(summary) },
  ];
}

function markdownTable([head = [], ...rows]: Table): string {
  const line = (cells: readonly string[]): string => `| ${cells.map(markdownCell).join(" | ")} |`;
  return [line(head), `|${head.map(() => "---").join("|")}|`, ...rows.map(line)].join("\n");
}

// A name may come from whoever calls: it must not end the cell, become markup, or steer a terminal.
function markdownCell(text: string): string {
  return text
    .replace(/\s+/g, " ")
    .replace(/[\\|`*_[\]<>&#]/g, (letter) => `\\${letter}`)
    .replace(/\p{C}/gu, "\\_");
}

function htmlOf({ title, text, table: [head = [], ...rows] }: Chapter): string {
  const cells = (tag: "td" | "th", row: readonly string[]): string =>
    `<tr>${row.map((cell) => `<${tag}${tag === "th" ? ' scope="col"' : ""}>${escapedHtml(cell)}</${tag}>`).join("")}</tr>`;
  const said = text === undefined ? "" : `<p>${escapedHtml(text)}</p>`;
  const body = rows.map((row) => cells("td", row)).join("\n");
  const table = `<div class="wide" role="region" tabindex="0" aria-label="${escapedHtml(title)}"><table><thead>${cells("th", head)}</thead><tbody>${body}</tbody></table></div>`;
  return `<section><h2>${escapedHtml(title)}</h2>${said}${rows.length === 0 ? "" : table}</section>`;
}
