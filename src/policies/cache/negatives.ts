import type { Clock, Fault, Fingerprint } from "../../core/index.ts";

const FAULTS_MAX = 1000;
const BODY_CHARS_MAX = 16 * 1024;

interface Negative {
  readonly fault: Fault;
  readonly check: string;
  readonly until: number;
}

/** Whether the same request would meet this fault again, however often it is sent. */
export function isDeterministic({ kind, status, retryable, retryAfterMs, committed, response }: Fault): boolean {
  return (
    (kind === "bad_request" || kind === "context_length") &&
    (status === 400 || status === 422) &&
    !retryable &&
    retryAfterMs === undefined &&
    !committed &&
    (response?.body.length ?? 0) <= BODY_CHARS_MAX
  );
}

/**
 * Requests that the provider said are wrong. Known to this process only, and bounded: beyond 1,000 the one that was
 * learned longest ago is let go.
 */
export class Negatives {
  readonly #clock: Clock;
  readonly #known = new Map<string, Negative>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  get({ key, check }: Fingerprint): Fault | undefined {
    const negative = this.#known.get(key);
    if (negative === undefined || negative.check !== check) return undefined;
    if (negative.until > this.#clock.now()) return negative.fault;
    this.#known.delete(key);
    return undefined;
  }

  add({ key, check }: Fingerprint, fault: Fault, ttlMs: number): void {
    this.#known.delete(key);
    this.#known.set(key, { fault, check, until: this.#clock.now() + ttlMs });
    if (this.#known.size <= FAULTS_MAX) return;
    for (const oldest of this.#known.keys()) {
      this.#known.delete(oldest);
      break;
    }
  }

  delete(key: string): void {
    this.#known.delete(key);
  }

  clear(): void {
    this.#known.clear();
  }
}
