import {
  type AttemptRecord,
  type Call,
  Keyed,
  latencyClass,
  type Next,
  type Outcome,
  type Runtime,
  readToCommit,
} from "../../core/index.ts";
import { HedgeBudget } from "./budget.ts";
import type { HedgeSettings } from "./options.ts";
import { Pace } from "./pace.ts";
import { Race, type RaceControl } from "./race.ts";

const CLASSES_MAX = 1_000;
const CHARS_PER_TOKEN = 4;

type Withheld = "budget" | "slowdown" | "spare";

export interface HedgeSnapshot {
  /** The share of input tokens that second tries may take. */
  readonly budget: number;
  /** Calls that could have been tried twice. */
  readonly calls: number;
  /** Second tries made, and how many of them answered first. */
  readonly hedged: number;
  readonly won: number;
  /** Second tries that were due and not made, by reason. */
  readonly withheld: Readonly<Record<Withheld, number>>;
  /** Learned delays in milliseconds by target and input size; absent while too little is known. */
  readonly delays: Readonly<Record<string, number>>;
}

/** A call that may be tried twice, with what is known of its kind. */
interface Runner {
  readonly call: Call;
  readonly pace: Pace;
  readonly delayMs: number;
  readonly tokens: number;
  readonly attemptsBefore: number;
}

/** Decides which calls are tried twice and when, and learns from how soon they answer. */
export class Hedger {
  readonly #runtime: Runtime;
  #settings: HedgeSettings;
  readonly #paces = new Keyed<Pace>(
    CLASSES_MAX,
    () => new Pace(),
    () => true,
  );
  readonly #budget = new HedgeBudget();
  #calls = 0;
  #hedged = 0;
  #won = 0;
  readonly #withheld: Record<Withheld, number> = { budget: 0, slowdown: 0, spare: 0 };

  constructor(settings: HedgeSettings, runtime: Runtime) {
    this.#settings = settings;
    this.#runtime = runtime;
  }

  async run(call: Call, next: Next): Promise<Outcome> {
    const { when, quantile, minDelayMs, commit } = this.#settings;
    if (!call.stream || call.attempt > 1 || !agrees(when, call)) return next(call);
    this.#calls++;
    const tokens = call.inputChars / CHARS_PER_TOKEN;
    this.#budget.sent(tokens);
    const pace = this.#paces.get(latencyClass(call));
    const learned = pace.delayMs(quantile);
    const attemptsBefore = call.trace.attemptCount;
    let outcome: Outcome;
    if (learned === undefined) {
      outcome = await readToCommit(commit, call, await next(call));
    } else {
      const delayMs = Math.max(minDelayMs, learned);
      const control = this.#controlOf({ call, pace, delayMs, tokens, attemptsBefore });
      outcome = await new Race(call, next, commit, control).run(delayMs);
    }
    const first = firstSent(call, attemptsBefore);
    if (outcome.ok && first !== undefined) this.#learn(pace, first, Math.max(minDelayMs, learned ?? 0));
    return outcome;
  }

  configure(settings: HedgeSettings): void {
    this.#settings = settings;
  }

  snapshot(): HedgeSnapshot {
    const delays: Record<string, number> = {};
    for (const [key, pace] of this.#paces) {
      const delayMs = pace.delayMs(this.#settings.quantile);
      if (delayMs !== undefined) delays[key] = delayMs;
    }
    const { budget } = this.#settings;
    return {
      budget,
      calls: this.#calls,
      hedged: this.#hedged,
      won: this.#won,
      withheld: { ...this.#withheld },
      delays,
    };
  }

  #controlOf(runner: Runner): RaceControl {
    const { clock, events } = this.#runtime;
    const { call, delayMs, tokens } = runner;
    let startedAt = 0;
    return {
      after: (ms, fn) => clock.timer(ms, fn),
      due: () => this.#due(runner),
      second: () => call.with({ attemptKind: "hedge", admitBy: clock.now() }),
      started: () => {
        startedAt = clock.now();
        this.#hedged++;
        call.trace.step(startedAt, "hedge", "started");
        if (events.wants("hedge.started")) events.emit("hedge.started", call, { afterMs: delayMs });
      },
      refused: () => {
        this.#hedged--;
        this.#withheld.spare++;
        this.#budget.giveBack(tokens);
      },
      ended: (winner) => {
        const now = clock.now();
        if (winner === "hedge") this.#won++;
        call.trace.step(now, "hedge", "ended", now - startedAt, winner);
        if (events.wants("hedge.ended")) events.emit("hedge.ended", call, { winner, durationMs: now - startedAt });
      },
    };
  }

  #due({ call, pace, delayMs, tokens, attemptsBefore }: Runner): "start" | "never" | number {
    const first = firstSent(call, attemptsBefore);
    // Only what was sent can be slow: it may wait at a limit of ours.
    const restMs = first === undefined ? delayMs : first.sentAt + delayMs - this.#runtime.clock.now();
    if (restMs > 0) return restMs;
    if (first?.firstContentAt !== undefined) return "never";
    pace.judged(true);
    const reason = this.#reasonNotTo(call, pace, tokens);
    if (reason === undefined) return "start";
    this.#withheld[reason]++;
    return "never";
  }

  // The budget comes last: it must not pay for a try that is not made.
  #reasonNotTo(call: Call, pace: Pace, tokens: number): Withheld | undefined {
    const { quantile, spare, budget } = this.#settings;
    if (!pace.isUsual(quantile)) return "slowdown";
    if (!agrees(spare, call)) return "spare";
    return this.#budget.spend(tokens, budget) ? undefined : "budget";
  }

  // A first try that was overtaken would have taken longer, and counts with the time it had: above the delay all the same.
  #learn(pace: Pace, { sentAt, firstContentAt }: Readonly<AttemptRecord>, delayMs: number): void {
    const now = this.#runtime.clock.now();
    const ms = (firstContentAt ?? now) - sentAt;
    pace.add(ms, now);
    if (ms < delayMs) pace.judged(false);
  }
}

/** The record of the first request that this call has made here. */
function firstSent({ trace }: Call, before: number): Readonly<AttemptRecord> | undefined {
  return trace.attempts.find(({ number }) => number > before);
}

// A function of the user's that throws has not said yes.
function agrees(condition: (call: Call) => boolean, call: Call): boolean {
  try {
    return condition(call);
  } catch {
    return false;
  }
}
