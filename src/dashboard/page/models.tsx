import { useState } from "preact/hooks";
import type { ModelView, View } from "../view.ts";
import type { PageQuery } from "./connection.ts";
import { amount, dollars, NO_DATA, percent, seconds } from "./format.ts";

type Key = "model" | "calls" | "success" | "p95" | "firstChunkP95" | "outputTokens" | "cost" | "breaker" | "headroom";

interface Column {
  readonly key: Key;
  readonly title: string;
  readonly cell: (row: ModelView) => string;
}

const COLUMNS: readonly Column[] = [
  { key: "calls", title: "Calls", cell: ({ calls }) => amount(calls) },
  { key: "success", title: "Answered", cell: ({ success }) => percent(success) },
  { key: "p95", title: "p95", cell: ({ p95, n }) => (p95 === null ? NO_DATA : `${seconds(p95)} (n ${amount(n)})`) },
  { key: "firstChunkP95", title: "First content p95", cell: ({ firstChunkP95 }) => seconds(firstChunkP95) },
  {
    key: "outputTokens",
    title: "Tokens in / out",
    cell: ({ inputTokens, outputTokens }) => `${amount(inputTokens)} / ${amount(outputTokens)}`,
  },
  { key: "cost", title: "Cost", cell: ({ cost }) => dollars(cost) },
  { key: "breaker", title: "Breaker", cell: ({ breaker }) => breaker },
  { key: "headroom", title: "Limit left", cell: ({ headroom }) => percent(headroom) },
];

const ROWS_SHOWN = 12;

interface Props {
  readonly view: View;
  readonly query: PageQuery;
  readonly choose: (change: Partial<PageQuery>) => void;
}

/** Every provider and model of the window; a click on one filters the page. */
export function ModelTable({ view, query, choose }: Props) {
  const [sort, setSort] = useState<{ readonly key: Key; readonly falls: boolean }>({ key: "calls", falls: true });
  const [showsAll, setShowsAll] = useState(false);
  const sorted = view.models.toSorted((a, b) => (sort.falls ? compare(b, a, sort.key) : compare(a, b, sort.key)));
  const rows = showsAll ? sorted : sorted.slice(0, ROWS_SHOWN);
  const by = (key: Key): void => setSort({ key, falls: sort.key === key ? !sort.falls : key !== "model" });
  const isChosen = (row: ModelView): boolean => row.provider === query.provider && row.model === query.model;
  const toggle = (row: ModelView): void =>
    choose(isChosen(row) ? { provider: undefined, model: undefined } : { provider: row.provider, model: row.model });

  return (
    <section aria-labelledby="models">
      <h2 id="models">Models</h2>
      {view.models.length === 0 ? (
        <p class="nothing">No calls in the last {view.query.window} min.</p>
      ) : (
        // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reachable by keyboard
        <section class="scroll" aria-label="Table of models" tabIndex={0}>
          <table class="models">
            <thead>
              <tr>
                <Head name="model" title="Provider / model" sort={sort} by={by} />
                {COLUMNS.map(({ key, title }) => (
                  <Head key={key} name={key} title={title} sort={sort} by={by} />
                ))}
              </tr>
            </thead>
            <tbody>
              {rows.map((row) => (
                <tr
                  key={`${row.provider}\n${row.model}`}
                  class={isChosen(row) ? "chosen" : undefined}
                  onClick={() => toggle(row)}
                >
                  <th scope="row">
                    <button type="button" aria-pressed={isChosen(row)}>
                      <span class="provider">{row.provider} / </span>
                      {row.model}
                    </button>
                  </th>
                  {COLUMNS.map(({ key, cell }) => (
                    <td key={key} class={warns(row, key) ? "warns" : undefined}>
                      {warns(row, key) && <span aria-hidden="true">! </span>}
                      {cell(row)}
                    </td>
                  ))}
                </tr>
              ))}
            </tbody>
          </table>
        </section>
      )}
      <p class="more">
        {sorted.length > ROWS_SHOWN && (
          <button type="button" onClick={() => setShowsAll(!showsAll)}>
            {showsAll ? `Show the first ${ROWS_SHOWN}` : `Show all ${sorted.length}`}
          </button>
        )}
        {view.modelsLeftOut > 0 && ` ${amount(view.modelsLeftOut)} more with fewer calls are left out.`}
      </p>
    </section>
  );
}

interface HeadProps {
  readonly name: Key;
  readonly title: string;
  readonly sort: { readonly key: Key; readonly falls: boolean };
  readonly by: (key: Key) => void;
}

function Head({ name, title, sort, by }: HeadProps) {
  const isSorted = sort.key === name;
  return (
    <th scope="col" aria-sort={isSorted ? (sort.falls ? "descending" : "ascending") : undefined}>
      <button type="button" onClick={() => by(name)}>
        {title}
        <span aria-hidden="true">{isSorted ? (sort.falls ? " ▼" : " ▲") : ""}</span>
      </button>
    </th>
  );
}

/** No data sorts below everything. */
function compare(a: ModelView, b: ModelView, key: Key): number {
  if (key === "model") return nameOf(b).localeCompare(nameOf(a), "en") * -1;
  const [left, right] = [a[key], b[key]];
  if (typeof left === "string" || typeof right === "string") return String(left).localeCompare(String(right), "en");
  return (left ?? -1) - (right ?? -1);
}

function nameOf({ provider, model }: ModelView): string {
  return `${provider} / ${model}`;
}

function warns({ breaker, success, headroom }: ModelView, key: Key): boolean {
  if (key === "breaker") return breaker !== "closed";
  if (key === "success") return success !== null && success < 0.95;
  return key === "headroom" && headroom !== null && headroom < 0.1;
}
