import type { BreakwaterEvent, Clock, EventBus } from "../../core/index.ts";
import { OTHER } from "../metric.ts";
import { has } from "../reading.ts";
import type { Labels } from "../series.ts";
import { keyOf } from "./label-key.ts";
import { judge } from "./limit.ts";
import type { ActiveEventRule } from "./rule.ts";
import { AlertTable, type Journal } from "./table.ts";

const ALERTS_MAX = 500;
const NEVER_HELD = [undefined, undefined, undefined] as const;

/** Moves a rule's alerts when its event happens, when the one that ends it does, and as time goes. */
export class EventWatch {
  readonly table: AlertTable;
  readonly insight = "sufficient";
  readonly windowMs = 0;
  #rule: ActiveEventRule;
  #clock: Clock;
  #stops: (() => void)[];
  #onMove: () => void;

  /** `onMove` is called when an event has moved an alert. */
  constructor(
    rule: ActiveEventRule,
    events: EventBus,
    { clock, journal, onMove }: { clock: Clock; journal: Journal; onMove: () => void },
  ) {
    this.table = new AlertTable(rule, clock, journal);
    this.#rule = rule;
    this.#clock = clock;
    this.#onMove = onMove;
    this.#stops = [events.on(rule.event, (event) => this.#happened(event))];
    if (rule.until !== undefined) this.#stops.push(events.on(rule.until, (event) => this.#ended(event)));
  }

  isDue(): boolean {
    return this.table.alerts.size > 0;
  }

  evaluate(now: number): void {
    for (const { key, state, labels, value, threshold } of [...this.table.alerts.values()]) {
      const calmSince = this.#rule.until === undefined ? state.seenAt : state.calmSince;
      if (calmSince !== undefined && now - calmSince >= this.#rule.keepMs) {
        this.table.move(key, undefined, { labels, value, threshold, hasData: true });
      }
    }
    this.table.forget(now);
  }

  close(): void {
    for (const stop of this.#stops) stop();
  }

  #happened(event: BreakwaterEvent): void {
    const fields = event as unknown as Readonly<Record<string, unknown>>;
    if (!has(textsOf(fields, Object.keys(this.#rule.labels)), this.#rule.labels)) return;
    const { limit } = this.#rule;
    const given = this.#rule.value === undefined ? undefined : fields[this.#rule.value];
    const value = typeof given === "number" && Number.isFinite(given) ? given : undefined;
    const verdict = limit === undefined || value === undefined ? undefined : judge(limit, value, undefined);
    if (limit !== undefined && (verdict === undefined || verdict.rank === 0)) return;
    const { key, labels } = this.#place(fields);
    const before = this.table.stateOf(key);
    const rank = Math.max(verdict?.rank ?? this.#rule.rank, before?.rank ?? 0);
    const firing = { phase: "firing", rank, heldSince: NEVER_HELD, seenAt: this.#clock.now() } as const;
    const reading = { labels, value, threshold: verdict?.threshold, hasData: true };
    this.table.move(key, { ...firing, calmSince: undefined }, reading);
    if (before === undefined || rank > before.rank) this.#onMove();
  }

  #ended(event: BreakwaterEvent): void {
    const { key } = this.#place(event as unknown as Readonly<Record<string, unknown>>);
    const alert = this.table.alerts.get(key);
    if (alert === undefined || alert.state.phase === "recovering") return;
    const now = this.#clock.now();
    const { labels, value, threshold, state } = alert;
    const next = this.#rule.keepMs === 0 ? undefined : ({ ...state, phase: "recovering", calmSince: now } as const);
    this.table.move(key, next, { labels, value, threshold, hasData: true });
    if (next === undefined) this.#onMove();
  }

  // Fields of events may have any number of values; whoever comes too late shares one alert.
  #place(fields: Readonly<Record<string, unknown>>): { readonly key: string; readonly labels: Labels } {
    const labels = textsOf(fields, this.#rule.groupBy);
    const key = keyOf(labels);
    if (this.table.alerts.has(key) || this.table.alerts.size < ALERTS_MAX) return { key, labels };
    const rest = Object.fromEntries(this.#rule.groupBy.map((name) => [name, OTHER]));
    return { key: keyOf(rest), labels: rest };
  }
}

function textsOf(fields: Readonly<Record<string, unknown>>, names: readonly string[]): Labels {
  return Object.fromEntries(
    names.flatMap((name) => {
      const value = fields[name];
      return ["string", "number", "boolean"].includes(typeof value) ? [[name, String(value).slice(0, 128)]] : [];
    }),
  );
}
