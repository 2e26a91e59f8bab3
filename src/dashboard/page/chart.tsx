import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import uPlot from "uplot";
import type { ChartView } from "../view.ts";
import { type ChartData, dataOf, Palette } from "./chart-data.ts";
import { type Frame, optionsOf } from "./chart-options.ts";
import { amount, type Format, timeOfDay } from "./format.ts";

interface Props {
  readonly title: string;
  readonly chart: ChartView;
  readonly format: Format;
  readonly isStacked: boolean;
  readonly empty: string;
  readonly at: number;
  readonly minutes: number;
  readonly nameOf: (label: string) => string;
}

const HEIGHT = 190;
const TABLE_ROWS = 12;

/** A chart that can be read with a mouse, with the arrow keys, and as a table. */
export function Chart({ title, chart, format, isStacked, empty, at, minutes, nameOf }: Props) {
  const palette = useMemo(() => new Palette(), []);
  const data = useMemo(() => dataOf(chart, isStacked, palette), [chart, isStacked, palette]);
  const [index, setIndex] = useState<number | null>(null);
  const { box, plot } = usePlot({ data, format, isStacked, at, minutes, onIndex: setIndex });
  const isEmpty = data.labels.length === 0;
  const shown = index !== null && index < data.times.length ? index : lastKnown(data);
  const said = index === null || isEmpty ? "" : sentence(data, index, format, nameOf);

  const move = (event: KeyboardEvent): void => {
    const next = nextIndex(event.key, index, data.times.length);
    if (next === undefined || plot.current === null) return;
    event.preventDefault();
    moveCursor(plot.current, next);
  };
  return (
    <figure class="chart">
      <figcaption>
        <h3>{title}</h3>
        {chart.n !== null && (
          <span class="n">
            n = {amount(chart.n)} in {minutes} min
          </span>
        )}
      </figcaption>
      <Legend data={data} index={shown} isPointed={index !== null} format={format} nameOf={nameOf} />

      <div
        class="plot"
        role="img"
        // biome-ignore lint/a11y/noNoninteractiveTabindex: the arrow keys move the cursor of the picture
        tabIndex={0}
        aria-label={`${title}: ${isEmpty ? empty : summary(data, shown, format, nameOf)}. The arrow keys read it step by step.`}
        onKeyDown={move}
        onBlur={() => plot.current?.setCursor({ left: -10, top: -10 })}
        ref={box}
      >
        {isEmpty && <p class="empty">{empty}</p>}
      </div>
      <p class="hidden" aria-live="polite">
        {said}
      </p>
      <DataTable title={title} data={data} format={format} nameOf={nameOf} />
    </figure>
  );
}

function usePlot(frame: Omit<Frame, "width" | "height"> & { readonly onIndex: (index: number | null) => void }) {
  const box = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot>(null);
  // uPlot keeps what it was given at its birth; what changes is read through this.
  const current = useRef<typeof frame>(frame);
  current.current = frame;
  const { data } = frame;
  const lines = data.labels.join("\n");

  useEffect(() => {
    const element = box.current;
    if (element === null || lines === "") return;
    const options = optionsOf(
      { ...current.current, width: element.clientWidth, height: HEIGHT },
      () => current.current,
    );
    const made = new uPlot(options, current.current.data.drawn as uPlot.AlignedData, element);
    plot.current = made;
    const sizes = new ResizeObserver(() => made.setSize({ width: element.clientWidth, height: HEIGHT }));
    sizes.observe(element);
    const scheme = matchMedia("(prefers-color-scheme: dark)");
    const redraw = (): void => made.redraw(false, true);
    scheme.addEventListener("change", redraw);
    return () => {
      sizes.disconnect();
      scheme.removeEventListener("change", redraw);
      made.destroy();
      plot.current = null;
    };
  }, [lines]);
  useEffect(() => {
    plot.current?.setData(data.drawn as uPlot.AlignedData);
  }, [data]);
  return { box, plot };
}

function moveCursor(plot: uPlot, index: number): void {
  const time = plot.data[0][index];
  if (time === undefined) return;
  plot.setCursor({ left: plot.valToPos(time, "x"), top: plot.over.clientHeight / 2 });
}

function nextIndex(key: string, index: number | null, count: number): number | undefined {
  const last = count - 1;
  if (key === "ArrowLeft") return Math.max(0, (index ?? last + 1) - 1);
  if (key === "ArrowRight") return Math.min(last, (index ?? last - 1) + 1);
  if (key === "Home") return 0;
  return key === "End" ? last : undefined;
}

/** The last step that is known of any line. */
function lastKnown({ times, values }: ChartData): number {
  for (let index = times.length - 1; index > 0; index--) {
    if (values.some((line) => (line[index] ?? null) !== null)) return index;
  }
  return 0;
}

interface ShownProps {
  readonly data: ChartData;
  readonly format: Format;
  readonly nameOf: (label: string) => string;
}

function Legend({
  data,
  index,
  isPointed,
  format,
  nameOf,
}: ShownProps & { readonly index: number; readonly isPointed: boolean }) {
  const time = data.times[index];
  return (
    <ul class="legend" aria-hidden="true">
      {data.labels.map((label, line) => (
        <li key={label}>
          <span class={`swatch s${data.colors[line]}`} />
          {nameOf(label)} <b>{format(data.values[line]?.[index] ?? null)}</b>
        </li>
      ))}
      {isPointed && time !== undefined && <li class="when">at {timeOfDay(time * 1000)}</li>}
    </ul>
  );
}

function DataTable({ title, data, format, nameOf }: ShownProps & { readonly title: string }) {
  const last = data.times.at(-1);
  return useMemo(() => {
    if (data.labels.length === 0) return null;
    const from = Math.max(0, data.times.length - TABLE_ROWS);
    return (
      <div class="hidden">
        <table>
          <caption>{title}, the last steps</caption>
          <thead>
            <tr>
              <th scope="col">Time</th>
              {data.labels.map((label) => (
                <th key={label} scope="col">
                  {nameOf(label)}
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {data.times.slice(from).map((time, row) => (
              <tr key={time}>
                <th scope="row">{timeOfDay(time * 1000)}</th>
                {data.labels.map((label, line) => (
                  <td key={label}>{valueWords(data.values[line]?.[from + row] ?? null, format)}</td>
                ))}
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    );
  }, [last, data.labels.join("\n"), title]);
}

function summary(data: ChartData, index: number, format: Format, nameOf: (label: string) => string): string {
  const values = data.labels.map(
    (label, line) => `${nameOf(label)} ${valueWords(data.values[line]?.[index] ?? null, format)}`,
  );
  return `now ${values.join(", ")}`;
}

function sentence(data: ChartData, index: number, format: Format, nameOf: (label: string) => string): string {
  const time = data.times[index];
  if (time === undefined) return "";
  const values = data.labels.map(
    (label, line) => `${nameOf(label)} ${valueWords(data.values[line]?.[index] ?? null, format)}`,
  );
  return `${timeOfDay(time * 1000)}: ${values.join(", ")}`;
}

function valueWords(value: number | null, format: Format): string {
  return value === null ? "no data" : format(value);
}
