import type { ChartName, View } from "../view.ts";
import { Chart } from "./chart.tsx";
import { amount, type Format, GAUGE_FORMATS, seconds, words } from "./format.ts";

interface ChartKind {
  readonly name: ChartName;
  readonly title: string;
  readonly format: Format;
  readonly isStacked: boolean;
  /** What is said where there is nothing to draw. */
  readonly empty: string;
}

const FIRST: readonly ChartKind[] = [
  { name: "latency", title: "Duration of calls", format: seconds, isStacked: false, empty: "No call has ended." },
  {
    name: "firstChunk",
    title: "First content by model, p95",
    format: seconds,
    isStacked: false,
    empty: "No stream has begun.",
  },
  {
    name: "errors",
    title: "Unanswered calls a minute by reason",
    format: amount,
    isStacked: true,
    empty: "No call went unanswered.",
  },
  {
    name: "servedBy",
    title: "Answered calls a minute by source",
    format: amount,
    isStacked: true,
    empty: "No call got an answer.",
  },
];

const RESILIENCE: readonly ChartKind[] = [
  {
    name: "retries",
    title: "Retries a minute by reason",
    format: amount,
    isStacked: true,
    empty: "Nothing was retried.",
  },
  {
    name: "waits",
    title: "Waits inside the line, p95 by reason",
    format: seconds,
    isStacked: false,
    empty: "No call had to wait.",
  },
  {
    name: "timeouts",
    title: "Timeouts a minute by phase",
    format: amount,
    isStacked: true,
    empty: "Nothing timed out.",
  },
  {
    name: "loop",
    title: "Delay of the event loop",
    format: seconds,
    isStacked: false,
    empty: "The process is not watched.",
  },
];

export function ChartSection({ view }: { readonly view: View }) {
  return (
    <section class="charts" aria-label="Charts">
      <Grid kinds={FIRST} view={view} />
    </section>
  );
}

export function ResilienceCharts({ view }: { readonly view: View }) {
  return (
    <>
      <dl class="facts">
        {view.facts.map(({ name, unit, value }) => (
          <div key={name}>
            <dt>{name}</dt>
            <dd class={value === null ? "none" : undefined}>{GAUGE_FORMATS[unit](value)}</dd>
          </div>
        ))}
      </dl>
      <div class="charts">
        <Grid kinds={RESILIENCE} view={view} />
      </div>
    </>
  );
}

function Grid({ kinds, view }: { readonly kinds: readonly ChartKind[]; readonly view: View }) {
  return (
    <>
      {kinds.map(({ name, title, format, isStacked, empty }) => (
        <Chart
          key={name}
          title={title}
          chart={view.charts[name]}
          format={format}
          isStacked={isStacked}
          empty={view.tiles.calls.value === null ? "No data yet." : empty}
          at={view.at}
          minutes={view.query.window}
          nameOf={words}
        />
      ))}
    </>
  );
}
