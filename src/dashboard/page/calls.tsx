import type { SlowCallView, View } from "../view.ts";
import { amount, seconds, span, words } from "./format.ts";

/** How calls failed last: what went wrong, never what was asked. */
export function FailureList({ view }: { readonly view: View }) {
  return (
    <section aria-labelledby="failures">
      <h2 id="failures">Recent failures</h2>
      {view.failures.length === 0 ? (
        <p class="nothing">No call has failed since the dashboard was opened.</p>
      ) : (
        <ul class="rows">
          {view.failures.map((call) => (
            <li key={`${call.provider}\n${call.model}\n${call.error}\n${call.status}\n${call.refusedBy}`}>
              <strong>{call.refusedBy === null ? words(call.error) : `refused by ${words(call.refusedBy)}`}</strong>
              {call.status !== null && ` ${call.status}`} {call.provider} / {call.model}
              <span class="detail">
                {amount(call.count)} {call.count === 1 ? "time" : "times"}, last {span(view.at - call.at)} ago, after{" "}
                {seconds(call.seconds)} and {amount(call.attempts)} {call.attempts === 1 ? "attempt" : "attempts"}
              </span>
            </li>
          ))}
        </ul>
      )}
    </section>
  );
}

const PARTS = [
  { key: "queue", name: "queue", color: 4 },
  { key: "throttle", name: "throttle", color: 3 },
  { key: "rateLimit", name: "rate limit", color: 1 },
  { key: "backoff", name: "backoff", color: 6 },
  { key: "provide", name: "provider", color: 0 },
] as const;

/** The slowest calls of the last 15 minutes, and where their time went. */
export function SlowCallList({ view }: { readonly view: View }) {
  return (
    <section aria-labelledby="slow">
      <h2 id="slow">Slowest calls, 15 min</h2>
      {view.slowCalls.length === 0 ? (
        <p class="nothing">No call was answered.</p>
      ) : (
        <>
          <ul class="legend">
            {PARTS.map(({ name, color }) => (
              <li key={name}>
                <span class={`swatch s${color}`} />
                {name}
              </li>
            ))}
          </ul>
          <ul class="rows">
            {view.slowCalls.map((call) => (
              <SlowCall key={`${call.at} ${call.seconds}`} call={call} view={view} />
            ))}
          </ul>
        </>
      )}
    </section>
  );
}

function SlowCall({ call, view }: { readonly call: SlowCallView; readonly view: View }) {
  const parts = PARTS.filter(({ key }) => call[key] > 0);
  const longest = view.slowCalls[0]?.seconds ?? call.seconds;
  return (
    <li>
      <strong>{seconds(call.seconds)}</strong> {call.provider} / {call.model}
      <span class="bar" aria-hidden="true">
        {parts.map(({ key, color }) => (
          <span key={key} class={`part s${color}`} style={{ width: `${(call[key] / longest) * 100}%` }} />
        ))}
      </span>
      <span class="detail">
        {span(view.at - call.at)} ago; {parts.map(({ key, name }) => `${name} ${seconds(call[key])}`).join(", ")};{" "}
        {amount(call.attempts)} {call.attempts === 1 ? "attempt" : "attempts"}
      </span>
    </li>
  );
}
