import type { Duration, Timer } from "../core/index.ts";
import type { Optimizer } from "../optimizer.ts";
import { type Comparison, type Counts, countsOf, type KindCounts } from "../reports/measures/index.ts";
import {
  fittingOption,
  isReversible,
  type LineOptionName,
  optionOf,
  type Recommendation,
  recommend,
  setOption,
} from "../reports/recommendations/index.ts";
import { TuningHistory } from "./history.ts";
import { isTunable, kindsOf, STEP_FACTORS, type TunableKind } from "./kinds.ts";
import type { AutoTuneSettings } from "./options.ts";
import { judged } from "./verdict.ts";

/** A change whose effect is being watched. */
interface Trial {
  readonly kind: TunableKind;
  readonly option: LineOptionName;
  readonly from: number | undefined;
  readonly to: number;
  readonly before: readonly KindCounts[];
  /** Slices after the change; `undefined` until the first, in which it settles, is over. */
  after: KindCounts[] | undefined;
}

const HOUR_MS = 3_600_000;
const PAUSE_MAX_MS = 24 * HOUR_MS;
/** Slices that are waited for at most, as a multiple of those asked for. */
const PATIENCE = 3;
/** Looks in a row at which a recommendation must stand. */
const LOOKS = 2;
const SUPERSEDED = "somebody else changed it";

/** Changes one option at a time, looks what comes of it, and takes it back unless it did good. */
export class Tuner {
  readonly history = new TuningHistory();
  readonly kinds: Set<TunableKind>;
  #optimizer: Pick<Optimizer, "line" | "monitor">;
  #settings: AutoTuneSettings;
  #counts: Counts;
  /** Slices with the options as they are now, the latest last. */
  #slices: KindCounts[] = [];
  #trial: Trial | undefined;
  #restUntil: number;
  /** Recommendations of the last look, and at how many looks in a row they stood. */
  #standing = new Map<string, number>();
  /** Until when a change that did no good is not tried again, and for how long the next time. */
  #pauses = new Map<string, { readonly until: number; readonly nextMs: number }>();
  #timer: Timer | undefined;
  #stopListening: () => void;

  constructor(optimizer: Pick<Optimizer, "line" | "monitor">, settings: AutoTuneSettings) {
    this.#optimizer = optimizer;
    this.#settings = settings;
    this.kinds = new Set(kindsOf(settings.level));
    this.#counts = countsOf(optimizer.monitor.metrics());
    this.#restUntil = 0;
    this.#stopListening = optimizer.line.runtime.events.on("profile.tuned", ({ profile }) => {
      this.#giveUp(`the profile became ${profile}`);
      this.#slices = [];
    });
    this.#arm();
  }

  /** Stops, and takes back a change that has not been judged. */
  stop(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    this.#stopListening();
    this.#giveUp("stopped");
  }

  /** Takes a kind out; a change of it that is being watched is taken back. */
  disable(kind: TunableKind): void {
    this.kinds.delete(kind);
    if (this.#trial?.kind === kind) this.#giveUp("disabled");
  }

  #arm(): void {
    this.#timer = this.#optimizer.line.runtime.clock.background(this.#settings.everyMs, () => {
      this.#arm();
      this.#look();
    });
  }

  #look(): void {
    const counts = countsOf(this.#optimizer.monitor.metrics());
    const slice = counts.since(this.#counts).total();
    this.#counts = counts;
    const trial = this.#trial;
    if (trial !== undefined) {
      this.#watch(trial, slice);
      return;
    }
    this.#slices.push(slice);
    if (this.#slices.length > this.#settings.slices) this.#slices.shift();
    const found = this.#standingFor(LOOKS);
    const now = this.#optimizer.line.runtime.clock.now();
    if (now < this.#restUntil || this.#slices.length < this.#settings.slices) return;
    for (const one of found) if (this.#tryOut(one, now)) return;
  }

  /** Recommendations that stand for so many looks in a row; read of the time in which the options were as they are. */
  #standingFor(looks: number): Recommendation[] {
    const { everyMs, minCount } = this.#settings;
    const windowMs = Math.min(HOUR_MS, Math.max(300_000, this.#slices.length * everyMs));
    const found = recommend(this.#optimizer, { window: windowMs as Duration, minCount });
    const before = this.#standing;
    this.#standing = new Map(found.map(({ id }) => [id, (before.get(id) ?? 0) + 1]));
    return found.filter(({ id }) => (this.#standing.get(id) ?? 0) >= looks);
  }

  #tryOut({ id, kind, change }: Recommendation, now: number): boolean {
    if (change === undefined || !isTunable(kind) || !this.kinds.has(kind)) return false;
    if ((this.#pauses.get(id)?.until ?? 0) > now) return false;
    const { line } = this.#optimizer;
    const option = change.option as LineOptionName;
    if (!isReversible(line, option)) return false;
    const from = optionOf(line, option);
    const to = this.#step(option, from, change.to);
    if (to === from) return false;
    try {
      setOption(line, option, to);
    } catch {
      this.#pause(id, now);
      return false;
    }
    this.#trial = { kind, option, from, to, before: this.#slices, after: undefined };
    this.#slices = [];
    const appliedAt = line.runtime.clock.wall();
    const open = { state: "watching", endedAt: undefined, reason: undefined, comparisons: [] } as const;
    this.history.add({ kind, option, from, to, appliedAt, ...open });
    line.runtime.events.emit("tuning.applied", undefined, { kind, option, from, to });
    return true;
  }

  /** Towards `wanted`, but no further than a step of this level and the bounds allow. */
  #step(option: LineOptionName, from: number | undefined, wanted: number): number {
    const factor = STEP_FACTORS[this.#settings.level === "none" ? "basic" : this.#settings.level];
    const { min, max } = this.#settings.bounds[option];
    // At least one: an option of small whole numbers could not move at all.
    const low = from === undefined ? min : Math.min(from / factor, from - 1);
    const high = from === undefined ? max : Math.max(from * factor, from + 1);
    const step = fittingOption(option, Math.min(high, Math.max(low, wanted)));
    // An option outside of its bounds comes nearer by steps, and is never pulled the other way.
    const [least, most] = [Math.min(min, from ?? min), Math.max(max, from ?? max)];
    return Math.min(most, Math.max(least, step));
  }

  #isSuperseded({ option, to }: Trial): boolean {
    return optionOf(this.#optimizer.line, option) !== to;
  }

  /** Ends a trial that cannot be judged. */
  #giveUp(reason: string): void {
    const trial = this.#trial;
    if (trial === undefined) return;
    if (this.#isSuperseded(trial)) this.#end(trial, "superseded", SUPERSEDED, []);
    else this.#end(trial, "rolled_back", reason, []);
  }

  #watch(trial: Trial, slice: KindCounts): void {
    if (this.#isSuperseded(trial)) {
      this.#end(trial, "superseded", SUPERSEDED, []);
      return;
    }
    // In the first slice calls end that had begun before.
    if (trial.after === undefined) {
      trial.after = [];
      return;
    }
    trial.after.push(slice);
    const { slices, minCount } = this.#settings;
    const { verdict, reason, comparisons } = judged(trial.kind, {
      before: trial.before,
      after: trial.after,
      minCount,
      isWhole: trial.after.length >= slices,
      isLast: trial.after.length >= slices * PATIENCE,
    });
    if (verdict === "wait") return;
    this.#end(trial, verdict === "keep" ? "kept" : "rolled_back", reason, comparisons);
  }

  #end(
    trial: Trial,
    state: "kept" | "rolled_back" | "superseded",
    reason: string,
    comparisons: readonly Comparison[],
  ): void {
    const { kind, option, from, to } = trial;
    const { clock, events } = this.#optimizer.line.runtime;
    this.#trial = undefined;
    // Of a change that stays, what came after it is what came before the next.
    this.#slices = state === "kept" ? (trial.after ?? []).slice(-this.#settings.slices) : [];
    this.#standing.clear();
    this.#restUntil = clock.now() + this.#settings.coolDownMs;
    this.history.end({ state, reason, endedAt: clock.wall(), comparisons });
    const step = { kind, option, from, to, reason };
    if (state === "rolled_back") {
      setOption(this.#optimizer.line, option, from);
      this.#pause(idOf(trial), clock.now());
      events.emit("tuning.rolled_back", undefined, step);
    } else if (state === "kept") {
      this.#pauses.delete(idOf(trial));
      events.emit("tuning.kept", undefined, step);
    }
  }

  #pause(id: string, now: number): void {
    const nextMs = this.#pauses.get(id)?.nextMs ?? HOUR_MS;
    this.#pauses.set(id, { until: now + nextMs, nextMs: Math.min(PAUSE_MAX_MS, nextMs * 2) });
  }
}

// Ids of tunable recommendations are their kind, or with the phase of the timeout behind it.
function idOf({ kind, option }: Trial): string {
  return kind.startsWith("timeout") ? `${kind}:${option.slice("timeout.".length)}` : kind;
}
