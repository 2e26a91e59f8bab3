import type { AlertView, View } from "../view.ts";
import { amount, percent, timeOfDay, words } from "./format.ts";

const ROWS_MAX = 12;
const ICONS = { critical: "✕", warning: "!", info: "i" } as const;

/** Alerts that fire, are about to, or are over. */
export function AlertList({ view }: { readonly view: View }) {
  return (
    <section aria-labelledby="alerts">
      <h2 id="alerts" tabIndex={-1}>
        Alerts
      </h2>
      <div aria-live="polite">
        {view.alerts.length === 0 ? (
          <p class="nothing">Nothing fires, nothing is pending.</p>
        ) : (
          <ul class="rows">
            {view.alerts.slice(0, ROWS_MAX).map((alert) => (
              <Row key={`${alert.rule}\n${alert.labels}\n${alert.state}\n${alert.since}`} alert={alert} />
            ))}
          </ul>
        )}
        {view.alerts.length > ROWS_MAX && <p class="nothing">{view.alerts.length - ROWS_MAX} more.</p>}
      </div>
    </section>
  );
}

// No running times in here: a screen reader would say every one of them.
function Row({ alert }: { readonly alert: AlertView }) {
  const { state, level, rule, labels, isQuiet, since } = alert;
  const tone = state === "resolved" ? "over" : level;
  return (
    <li>
      <span class={`badge ${tone}`}>
        <span aria-hidden="true">{state === "resolved" ? "✓" : ICONS[level]}</span> {level}, {state}
      </span>{" "}
      <strong>{words(rule)}</strong> {labels}
      <span class="detail">
        {measured(alert)} since <time dateTime={new Date(since).toISOString()}>{timeOfDay(since)}</time>
        {isQuiet && ", not told to anybody"}
      </span>
    </li>
  );
}

function measured({ state, metric, aggregate, value, threshold }: AlertView): string {
  if (state === "resolved" || value === null || aggregate === null || aggregate === "event") return `${metric},`;
  const format = aggregate === "ratio" ? percent : amount;
  return `${aggregate} of ${metric} ${format(value)}${threshold === null ? "" : `, limit ${format(threshold)}`},`;
}
