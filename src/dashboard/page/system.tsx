import type { GaugeView, View } from "../view.ts";
import { GAUGE_FORMATS } from "./format.ts";

/** The process, the machine and the monitor itself. */
export function SystemList({ view }: { readonly view: View }) {
  return (
    <section aria-labelledby="system">
      <h2 id="system">System</h2>
      {view.system[0]?.value === null && (
        <p class="nothing">
          The process is not watched: the optimizer was made with <code>system: false</code> or a clock of its own.
        </p>
      )}
      <dl class="gauges">
        {view.system.map((gauge) => (
          <Gauge key={gauge.name} gauge={gauge} />
        ))}
      </dl>
    </section>
  );
}

function Gauge({ gauge: { name, unit, value, limit = null } }: { readonly gauge: GaugeView }) {
  const format = GAUGE_FORMATS[unit];
  const share = value === null ? null : limit !== null && limit > 0 ? value / limit : unit === "ratio" ? value : null;
  return (
    <div>
      <dt>{name}</dt>
      <dd class={value === null ? "none" : undefined}>
        {value === null ? "no data" : format(value)}
        {value !== null && limit !== null && <small> of {format(limit)}</small>}
        {share !== null && (
          <span class="bar" aria-hidden="true">
            <span class={share > 0.85 ? "part high" : "part"} style={{ width: `${Math.min(1, share) * 100}%` }} />
          </span>
        )}
      </dd>
    </div>
  );
}
