import { AsyncResource } from "node:async_hooks";
import {
  aborted,
  Cancellation,
  DeadlineExceededError,
  errorName,
  type Fault,
  type Timer,
  type Waiter,
} from "../../core/index.ts";
import type { Applicant, Place, Watch } from "./applicant.ts";
import type { JobBook } from "./job-book.ts";
import type { JobPlan } from "./job-plan.ts";
import { Lender, lend } from "./lender.ts";

export type JobStatus = "queued" | "running" | "done" | "failed" | "cancelled";

export interface JobContext {
  /** Aborted when the job is cancelled or its deadline passes. */
  readonly signal: AbortSignal;
  /** Tells how far the job is: a fraction from 0 to 1, or a note of which the first 200 characters are kept. */
  readonly progress: (how: number | string) => void;
}

/** What is known of a job. Times are milliseconds since the Unix epoch. */
export interface JobInfo {
  readonly id: string;
  readonly status: JobStatus;
  /** 0 (first) to 9 (last). */
  readonly priority: number;
  readonly client: string | undefined;
  readonly partition: string | undefined;
  readonly weight: number;
  readonly startedAt: number | undefined;
  readonly endedAt: number | undefined;
  /** What it said last of how far it is, from 0 to 1. */
  readonly fraction: number | undefined;
  readonly note: string | undefined;
}

type JobFunction = (context: JobContext) => unknown;
type Listener = { resolve: (value: unknown) => void; reject: (reason: unknown) => void };

const NOTE_LENGTH_MAX = 200;

/** What only a job has that is awaited, has begun or has ended. */
class Run {
  listeners: Listener[] | undefined;
  timer: Timer | undefined;
  startedAt: number | undefined;
  endedAt: number | undefined;
  fraction: number | undefined;
  note: string | undefined;
  /** The result, or what it failed with. */
  outcome: unknown;
  #cancellation: Cancellation | undefined;

  get cancellation(): Cancellation {
    this.#cancellation ??= new Cancellation();
    return this.#cancellation;
  }
}

/** Makes only what the function asks for. */
class Context implements JobContext {
  readonly #run: Run;
  readonly #tell: JobContext["progress"];

  constructor(run: Run, tell: JobContext["progress"]) {
    this.#run = run;
    this.#tell = tell;
  }

  get signal(): AbortSignal {
    return this.#run.cancellation.signal;
  }

  get progress(): JobContext["progress"] {
    return this.#tell;
  }
}

// A queue may hold a million of these, so what only a running or awaited job needs is made when it is needed.
export class Job implements Applicant {
  readonly id: string;
  status: JobStatus = "queued";
  waiter: Waiter<Applicant> | undefined;
  watch: Watch | undefined;
  #fn: JobFunction | undefined;
  #run: Run | undefined;
  // Whoever frees the slot runs in a scope of its own, which is not this job's.
  #submitter: AsyncResource | undefined = new AsyncResource("breakwater.job");
  readonly #plan: JobPlan;
  readonly #book: JobBook;

  constructor(id: string, fn: JobFunction, plan: JobPlan, book: JobBook) {
    this.id = id;
    this.#fn = fn;
    this.#plan = plan;
    this.#book = book;
  }

  get level(): number {
    return this.#plan.level;
  }

  get admitBy(): number {
    return this.#plan.endBy;
  }

  get endBy(): number {
    return this.#plan.endBy;
  }

  get tenant(): string | undefined {
    return this.#plan.tenant;
  }

  get partition(): string | undefined {
    return this.#plan.partition;
  }

  get weight(): number {
    return this.#plan.weight;
  }

  get cost(): number {
    return Math.max(1, this.#plan.tokens);
  }

  // A job keeps its slots to its end.
  get cameAt(): undefined {
    return undefined;
  }

  // Cancelled by its id, and through `withdraw` while it waits.
  get cancellation(): undefined {
    return undefined;
  }

  get call(): undefined {
    return undefined;
  }

  apply(): void {
    const { slots, runtime } = this.#book;
    this.#book.submitted(this);
    slots.apply(this);
    if (this.status !== "queued" || !runtime.events.wants("job.queued")) return;
    runtime.events.emit("job.queued", undefined, { job: this.id, priority: this.level, depth: slots.queued });
  }

  admitted(place: Place, waitMs: number): void {
    const { clock, events } = this.#book.runtime;
    const run = this.#begin();
    this.status = "running";
    this.#book.started(this);
    run.startedAt = clock.wall();
    if (this.admitBy !== Number.POSITIVE_INFINITY) {
      run.timer = clock.timer(this.admitBy - clock.now(), () => this.#expire());
    }
    if (events.wants("job.started")) events.emit("job.started", undefined, { job: this.id, waitMs });
    void this.#work(place, run);
  }

  refused(fault: Fault): void {
    this.#end(fault.kind === "aborted" ? "cancelled" : "failed", fault.error);
  }

  result(): Promise<unknown> {
    const run = this.#begin();
    if (this.status === "done") return Promise.resolve(run.outcome);
    if (this.status === "failed" || this.status === "cancelled") return Promise.reject(this.#failure(run));
    return new Promise((resolve, reject) => {
      run.listeners ??= [];
      run.listeners.push({ resolve, reject });
    });
  }

  cancel(): boolean {
    // The error is made for whoever asks for it: half a million queued jobs are cancelled in a moment.
    if (this.status === "queued") return this.#book.slots.withdraw(this, aborted(undefined));
    if (this.status !== "running") return false;
    this.#run?.cancellation.cancel(this.#cancelled());
    this.#end("cancelled", undefined);
    return true;
  }

  info(): JobInfo {
    const { level, tenant, partition, weight } = this.#plan;
    return {
      id: this.id,
      status: this.status,
      priority: level,
      client: tenant,
      partition,
      weight,
      startedAt: this.#run?.startedAt,
      endedAt: this.#run?.endedAt,
      fraction: this.#run?.fraction,
      note: this.#run?.note,
    };
  }

  async #work(place: Place, run: Run): Promise<void> {
    const lender = new Lender(this.#book.slots, place);
    // The caller of `submit`, or of whatever freed the slot, goes on first.
    await undefined;
    const fn = this.#fn;
    const submitter = this.#submitter;
    this.#fn = undefined;
    this.#submitter = undefined;
    try {
      // Cancelled within the same turn: it has not begun and never will.
      if (fn === undefined || submitter === undefined) return;
      const value = await submitter.runInAsyncScope(() =>
        lend(lender, () => fn(new Context(run, (how) => this.#progress(run, how)))),
      );
      this.#end("done", value);
    } catch (error) {
      this.#end("failed", error);
    } finally {
      lender.release();
    }
  }

  #progress(run: Run, how: number | string): void {
    if (this.status !== "running") return;
    if (typeof how === "string") run.note = how.slice(0, NOTE_LENGTH_MAX);
    else if (how >= 0) run.fraction = Math.min(1, how);
    const { events } = this.#book.runtime;
    if (!events.wants("job.progress")) return;
    events.emit("job.progress", undefined, { job: this.id, fraction: run.fraction, note: run.note });
  }

  #expire(): void {
    const message = `The job "${this.id}" did not end within its deadline.`;
    const error = new DeadlineExceededError(message, { policy: "pool" });
    this.#run?.cancellation.cancel(error);
    this.#end("failed", error);
  }

  #end(status: "done" | "failed" | "cancelled", outcome: unknown): void {
    if (this.status !== "queued" && this.status !== "running") return;
    this.status = status;
    this.#fn = undefined;
    this.#submitter = undefined;
    this.waiter = undefined;
    this.watch = undefined;
    const run = this.#begin();
    run.outcome = outcome;
    run.timer?.cancel();
    const { clock, events } = this.#book.runtime;
    run.endedAt = clock.wall();
    this.#book.ended(this);
    if (events.wants("job.done")) {
      const durationMs = run.startedAt === undefined ? undefined : run.endedAt - run.startedAt;
      const error = status === "failed" ? errorName(outcome) : undefined;
      events.emit("job.done", undefined, { job: this.id, status, durationMs, error });
    }
    this.#answer(run);
  }

  #answer(run: Run): void {
    const { listeners } = run;
    run.listeners = undefined;
    for (const { resolve, reject } of listeners ?? []) {
      if (this.status === "done") resolve(run.outcome);
      else reject(this.#failure(run));
    }
  }

  #begin(): Run {
    this.#run ??= new Run();
    return this.#run;
  }

  #failure(run: Run): unknown {
    if (this.status === "cancelled") run.outcome ??= this.#cancelled();
    return run.outcome;
  }

  #cancelled(): DOMException {
    return new DOMException(`The job "${this.id}" was cancelled.`, "AbortError");
  }
}
