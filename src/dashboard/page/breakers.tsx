import type { BreakerState, BreakerView, View } from "../view.ts";
import { span, timeOfDay } from "./format.ts";

const MINUTES = 15;
const WIDTH = 300;
const HEIGHT = 14;

/** Every breaker that changed its state in the last 15 minutes, and when it was open. */
export function BreakerList({ view }: { readonly view: View }) {
  return (
    <div class="breakers">
      <h3>Breakers, the last {MINUTES} min</h3>
      {view.breakers.length === 0 ? (
        <p class="nothing">Every breaker is closed, and none has opened.</p>
      ) : (
        <ul>
          {view.breakers.map((breaker) => (
            <li key={breaker.key}>
              <span class="key">{breaker.key}</span>
              <span class={`state ${breaker.state.replace(" ", "-")}`}>
                <span aria-hidden="true">
                  {breaker.state === "closed" ? "✓" : breaker.state === "open" ? "✕" : "!"}
                </span>{" "}
                {breaker.state} for {span(view.at - breaker.since)}
              </span>
              <Strip breaker={breaker} at={view.at} />
            </li>
          ))}
        </ul>
      )}
    </div>
  );
}

function Strip({ breaker, at }: { readonly breaker: BreakerView; readonly at: number }) {
  const from = at - MINUTES * 60_000;
  const x = (time: number): number => ((Math.max(from, time) - from) / (at - from)) * WIDTH;
  const first = breaker.changes[0];
  const begin: readonly (readonly [number, BreakerState])[] =
    first !== undefined && first[0] > from ? [[from, first[1] === "open" ? "closed" : "open"]] : [];
  const changes = [...begin, ...breaker.changes];
  const opened = breaker.changes.filter(([, state]) => state === "open");
  const label = `Opened ${opened.length} times: ${opened.map(([time]) => timeOfDay(time)).join(", ")}`;
  return (
    <svg class="timeline" viewBox={`0 0 ${WIDTH} ${HEIGHT}`} preserveAspectRatio="none" role="img" aria-label={label}>
      {changes.map(([time, state], index) => (
        <rect
          key={time}
          class={state.replace(" ", "-")}
          x={x(time)}
          width={Math.max(1, x(changes[index + 1]?.[0] ?? at) - x(time))}
          y={state === "open" ? 0 : state === "closed" ? 9 : 4}
          height={state === "open" ? 14 : state === "closed" ? 5 : 10}
        />
      ))}
    </svg>
  );
}
