import { getEventListeners } from "node:events";
import type { RetrySnapshot } from "../../policies/retry/index.ts";
import { type AnyEvent, Book, type CallBook } from "./book.ts";
import { KEY_MARK, PROMPT_MARK } from "./caller.ts";
import { checkIdle, type Report, StateChecks } from "./checks.ts";
import type { CallRecord } from "./record.ts";
import type { Violation } from "./scenario.ts";
import { SentChecks } from "./sent-checks.ts";
import { policyOf, type World } from "./world.ts";

const VIOLATIONS_MAX = 10;
// Sums of times are not exact in the last digit.
const INSTANT_MS = 1e-6;

/** Watches a run: what must always hold, what must hold at each event, and what must be so at the end. */
export class Watch {
  readonly violations: Violation[] = [];
  readonly book: Book;
  steps = 0;
  readonly #world: World;
  readonly #state: StateChecks;
  readonly #sent: SentChecks;
  /** The most that were allowed at any time of the run: a profile may change them. */
  #attempts: number;
  #seen = 0;

  constructor(world: World) {
    this.#world = world;
    this.#attempts = attemptsOf(world);
    this.book = new Book(world);
    this.#state = new StateChecks(world, this.#report);
    this.#sent = new SentChecks(world, this.book, this.#report);
    world.optimizer.on("*", (event) => this.#follow(event));
  }

  /** After each step of time. */
  step(): void {
    this.steps++;
    this.#attempts = Math.max(this.#attempts, attemptsOf(this.#world));
    this.#state.check();
    const { records } = this.#world;
    while (this.#seen < records.length && records[this.#seen]?.end !== undefined) this.#seen++;
    for (let index = this.#seen; index < records.length; index++) this.#checkCaller(records[index] as CallRecord);
  }

  /** When no timer is left that anybody waits for. */
  idle(): void {
    for (const record of this.#world.records) {
      if (record.end === undefined) this.#report("lost", `caller ${record.ordinal} was never answered`);
      else this.#checkAnswer(record);
      const listeners = getEventListeners(record.controller.signal, "abort").length;
      if (listeners > 0) this.#report("leak", `caller ${record.ordinal}: ${listeners} listeners on its signal`);
    }
    for (const job of this.#world.jobs) this.#report("lost", `${job} never ended`);
    checkIdle(this.#world, this.#report);
    this.#sent.idle();
    if (this.#world.closedAt === undefined) this.#checkEvents();
    else this.#checkSilence(this.#world.closedAt);
  }

  /** When the optimizer is closed. */
  closed(): void {
    const { pendingTimers } = this.#world.clock;
    if (pendingTimers > 0) this.#report("leak", `${pendingTimers} timers are left after close`);
    const { listenerCount } = this.#world.optimizer.line.runtime.events;
    if (listenerCount > 0) this.#report("leak", `${listenerCount} listeners are left after close`);
  }

  /** For what goes wrong outside of the checks. */
  failed(rule: string, detail: string): void {
    this.#report(rule, detail);
  }

  readonly #report: Report = (rule, detail) => {
    if (this.violations.length >= VIOLATIONS_MAX) return;
    this.violations.push({ rule, at: this.#world.clock.now(), step: this.steps, detail });
  };

  #follow(event: AnyEvent): void {
    this.book.follow(event);
    if (event.type === "attempt.started") this.#sent.check(event);
    if ("retryAfterMs" in event && event.retryAfterMs !== undefined && !(event.retryAfterMs >= 0)) {
      this.#report("retry-after", `${event.type} tells ${event.retryAfterMs} ms`);
    }
    const text = JSON.stringify(event);
    if (text.includes(KEY_MARK) || text.includes(PROMPT_MARK))
      this.#report("secret", `${event.type} tells what it must not`);
  }

  #checkEvents(): void {
    for (const [id, call] of this.book.calls) this.#checkCall(id, call);
    if (this.book.attemptsStarted !== this.book.attemptsEnded) {
      this.#report("attempts", `${this.book.attemptsStarted} began and ${this.book.attemptsEnded} ended`);
    }
  }

  // A closed optimizer tells nothing any more.
  #checkSilence(closedAt: number): void {
    const late = this.#world.provider.log.filter(({ at }) => at > closedAt).length;
    if (late > 0) this.#report("closed", `${late} requests were sent after close()`);
  }

  #checkCaller({ action, ordinal, abortedAt, deadlineAt, end }: CallRecord): void {
    // A caller who pauses between chunks hears of the end only when it asks for the next one.
    if (end !== undefined || action.readEvery !== undefined) return;
    const now = this.#world.clock.now();
    if (abortedAt !== undefined) this.#report("abort", `caller ${ordinal} gave up at ${abortedAt} and still waits`);
    if (now > deadlineAt + INSTANT_MS)
      this.#report("deadline", `caller ${ordinal} waits since its deadline ${deadlineAt}`);
  }

  #checkAnswer({ end, expected, text, finishReason, ordinal }: CallRecord): void {
    const short = finishReason !== undefined && finishReason !== "stop";
    const whole = end === "answered" && !short;
    const right = expected.some((answer) => (whole ? text === answer : answer.startsWith(text)));
    if (!right)
      this.#report("answer", `caller ${ordinal} (${end}) got ${JSON.stringify(text)} of ${JSON.stringify(expected)}`);
  }

  #checkCall(id: string, { ends, startedAt, durationMs, tries, record }: CallBook): void {
    if (ends !== 1) this.#report("settled-once", `call ${id} ended ${ends} times`);
    if (record !== undefined && startedAt + durationMs > record.deadlineAt + INSTANT_MS) {
      this.#report("deadline", `the call of caller ${record.ordinal} was over ${durationMs} ms after its start`);
    }
    const most = this.#attempts * (this.#world.scenario.optimizer.fallback ? 2 : 1);
    if (tries > most) this.#report("retry", `call ${id} made ${tries} tries of ${most}`);
  }
}

/** How often a call may be tried: as the options say, or else as the line does. */
function attemptsOf(world: World): number {
  const { retry } = world.scenario.optimizer;
  const told = typeof retry === "object" ? retry.attempts : undefined;
  return told ?? policyOf<{ snapshot(): RetrySnapshot }>(world, "retry")?.snapshot().attempts ?? 1;
}
