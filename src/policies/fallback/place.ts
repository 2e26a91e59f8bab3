import { type Call, type FaultKind, RecentDurations, type Settlement, type TargetPrice } from "../../core/index.ts";
import { Health, type HealthObserver, type Pass } from "./health.ts";

/** A call that has been given to a place: counted from the moment of the choice, so that a burst is spread. */
export interface Stay {
  readonly pass: Pass;
  /** The place has answered or failed to begin: it was a probe, if it was one. */
  answered(): void;
  /** It is over. Only the first counts. */
  end(settlement: Settlement): void;
  /** It was not sent there after all. */
  cancel(): void;
}

const PER = 1_000_000;
const DURATIONS_MIN = 20;
const USUAL = 0.9;

/** One model at one target, and how it has done. */
export class Place {
  readonly key: string;
  readonly health: Health<Call, FaultKind>;
  readonly #durations = new RecentDurations();
  #inFlight = 0;
  #answered = 0;
  #failed = 0;
  #costUsd = 0;

  constructor(key: string, observer: HealthObserver<Call, FaultKind>) {
    this.key = key;
    this.health = new Health(observer);
  }

  get inFlight(): number {
    return this.#inFlight;
  }

  get counts(): { readonly answered: number; readonly failed: number; readonly costUsd: number } {
    return { answered: this.#answered, failed: this.#failed, costUsd: this.#costUsd };
  }

  begin(now: number, price: TargetPrice | undefined): Stay {
    const pass = this.health.pass(now);
    let open = true;
    this.#inFlight++;
    const close = (): boolean => {
      if (!open) return false;
      open = false;
      this.#inFlight--;
      this.health.end(pass);
      return true;
    };
    return {
      pass,
      answered: () => this.health.end(pass),
      cancel: () => void close(),
      end: ({ fault, usage }) => {
        if (!close()) return;
        if (fault === undefined) this.#answered++;
        else if (fault.kind !== "refused") this.#failed++;
        if (price === undefined || usage === undefined) return;
        this.#costUsd += (usage.inputTokens * price.input + usage.outputTokens * price.output) / PER;
      },
    };
  }

  /** How long it takes from sending to the end of the answer: nine of ten take no longer. 0: not known yet. */
  get usualMs(): number {
    return this.#durations.samples < DURATIONS_MIN ? 0 : this.#durations.quantile(USUAL);
  }

  took(ms: number): void {
    this.#durations.add(ms);
  }

  isIdle(now: number): boolean {
    return this.#inFlight === 0 && this.health.isIdle(now);
  }
}
