import { defaultRuntime, type Policy, type Runtime } from "../../core/index.ts";
import { type RetryOptions, readRetryOptions } from "./options.ts";
import { type GaveUp, Retrier } from "./retry.ts";

export { type AfterCommit, RETRY_DEFAULTS, type RetryBudgetOptions, type RetryOptions } from "./options.ts";

export interface RetrySnapshot {
  readonly attempts: number;
  readonly baseDelayMs: number;
  readonly maxDelayMs: number;
  /** Retries made so far. */
  readonly retries: number;
  /** Streams that another try took up after content. */
  readonly resumed: number;
  /** Calls that were given up although their fault could have been retried, by reason. */
  readonly exhausted: Readonly<Record<GaveUp, number>>;
  /** What is left of each provider's budget; full ones are not listed. */
  readonly budgets: Readonly<Record<string, number>>;
}

export interface RetryPolicy extends Policy {
  /** Changes options while calls run: they count from the next failure on. Throws `OptionError` and then changes nothing. */
  update(options: RetryOptions): void;
  snapshot(): RetrySnapshot;
  /** Ends every pause: those calls get the fault they have, and none is tried again. */
  close(): void;
}

/**
 * Tries a call again when its fault says that this may help (`fault.retryable`), nothing has reached the caller yet and
 * neither the deadline nor the retry budget forbids it. Pauses grow with full jitter and are never shorter than the
 * provider's `retry-after`; a caller that gives up leaves a pause at once. After the last try the caller gets the last
 * fault, unchanged.
 *
 * A streamed reply is handed on when it has reached its `commit` point: a stream that fails before is tried again or
 * becomes a fault, one that fails later ends as it is, unless `afterCommit` and its caller allow another try to take it up.
 *
 * A retry that the client makes by itself draws on the same budget; when that is spent it is refused with
 * `RetryBudgetError`.
 *
 * Throws `OptionError`.
 */
export function retry(options: RetryOptions = {}, runtime: Runtime = defaultRuntime()): RetryPolicy {
  let settings = readRetryOptions(options);
  const retrier = new Retrier(settings, runtime);
  return {
    name: "retry",
    ring: "border",
    runtime,
    handle: (call, next) => retrier.run(call, next),
    update(changes) {
      settings = readRetryOptions(changes, settings);
      retrier.configure(settings);
    },
    snapshot: () => ({
      attempts: settings.attempts,
      baseDelayMs: settings.baseDelayMs,
      maxDelayMs: settings.maxDelayMs,
      ...retrier.snapshot(),
    }),
    close: () => retrier.close(),
  };
}
