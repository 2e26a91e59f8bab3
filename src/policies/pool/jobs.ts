import {
  aborted,
  Cancellation,
  DeadlineExceededError,
  type Duration,
  durationMs,
  type Fault,
  functionOf,
  knownKeys,
  OptionError,
  PRIORITY_LEVELS,
  type Priority,
  priorityLevel,
  type Runtime,
  type Timer,
  textOf,
} from "../../core/index.ts";
import { lend } from "./lent.ts";
import type { Applicant, Slot, Slots, Waiting } from "./slots.ts";

export type JobStatus = "queued" | "running" | "done" | "failed" | "cancelled";

export interface JobContext {
  /** Aborted when the job is cancelled or its deadline passes. */
  readonly signal: AbortSignal;
}

export interface JobOptions {
  /** Default `"normal"`. */
  readonly priority?: Priority | undefined;
  /** From now to the end of the job, waiting included. Default: none. */
  readonly deadline?: Duration | undefined;
}

/** Work of any kind that waits for the same slots as the calls do. */
export interface Jobs {
  /**
   * Queues `fn` under an id of the caller's own choice. It never starts before `submit` has returned.
   * A refusal (queue full, deadline) is the job's failure, to be seen in `status` and `result`.
   *
   * Throws {@link OptionError} for a wrong argument and for an id that is still known.
   */
  submit(id: string, fn: (context: JobContext) => unknown, options?: JobOptions): void;
  /** `undefined` for an id that was never submitted or is no longer kept. */
  status(id: string): JobStatus | undefined;
  /**
   * What the job's function returns. Rejects with what it threw, with the refusal, or with an `AbortError` when the
   * job was cancelled; with {@link OptionError} for an unknown id.
   */
  result<T = unknown>(id: string): Promise<T>;
  /** Stops a job that has not ended: says whether there was one. Its slot is free when its function has returned. */
  cancel(id: string): boolean;
  /** How many jobs wait, run and are kept for `result`. */
  snapshot(): { readonly queued: number; readonly running: number; readonly kept: number };
}

/** How many ended jobs are kept for `result` and `status`; the oldest go first. */
export const JOBS_KEPT = 1_000;

/**
 * The pool alone, for work that is not a call. A job holds its slot until its function has ended, and the calls of
 * the same optimizer that it makes pass on that slot: make them one after the other.
 */
export function createJobs({ slots }: { readonly slots: Slots }, runtime: Runtime): Jobs {
  const jobs = new Map<string, Job>();
  const ended: string[] = [];
  let oldest = 0;

  const room: Room = {
    slots,
    runtime,
    keep(job) {
      const dropped = ended[oldest];
      if (dropped !== undefined) jobs.delete(dropped);
      ended[oldest] = job.id;
      oldest = (oldest + 1) % JOBS_KEPT;
    },
  };

  return {
    submit(id, fn, options = {}) {
      textOf("job.id", id);
      if (jobs.has(id)) throw new OptionError("job.id", id, "an id that no other known job has");
      functionOf("job.fn", fn);
      knownKeys("job", options, ["priority", "deadline"]);
      const { priority, deadline } = options;
      const level = priority === undefined ? PRIORITY_LEVELS.normal : priorityLevel("job.priority", priority);
      const endBy =
        deadline === undefined
          ? Number.POSITIVE_INFINITY
          : runtime.clock.now() + durationMs("job.deadline", deadline, { min: 1 });
      const job = new Job(id, fn, level, endBy, room);
      jobs.set(id, job);
      job.apply();
    },
    status: (id) => jobs.get(id)?.status,
    async result<T>(id: string) {
      const job = jobs.get(id);
      if (job === undefined) throw new OptionError("job.id", id, "the id of a job that is queued, running or kept");
      return job.result() as Promise<T>;
    },
    cancel: (id) => jobs.get(id)?.cancel() ?? false,
    snapshot() {
      let queued = 0;
      let running = 0;
      for (const { status } of jobs.values()) {
        if (status === "queued") queued++;
        else if (status === "running") running++;
      }
      return { queued, running, kept: jobs.size - queued - running };
    },
  };
}

/** What all jobs of one pool share. */
interface Room {
  readonly slots: Slots;
  readonly runtime: Runtime;
  /** Takes an ended job among those that are kept. */
  keep(job: Job): void;
}

type Listener = { resolve: (value: unknown) => void; reject: (reason: unknown) => void };

// A queue may hold a million of these, so what only a running or awaited job needs is made when it is needed.
class Job implements Applicant {
  readonly id: string;
  readonly level: number;
  readonly admitBy: number;
  status: JobStatus = "queued";
  #fn: ((context: JobContext) => unknown) | undefined;
  #outcome: unknown;
  #listeners: Listener[] | undefined;
  #waiting: Waiting | undefined;
  #running: Cancellation | undefined;
  #timer: Timer | undefined;
  readonly #room: Room;

  constructor(id: string, fn: (context: JobContext) => unknown, level: number, endBy: number, room: Room) {
    this.id = id;
    this.#fn = fn;
    this.level = level;
    this.admitBy = endBy;
    this.#room = room;
  }

  // Cancelled by its id, and through `withdraw` while it waits.
  get cancellation(): undefined {
    return undefined;
  }

  get call(): undefined {
    return undefined;
  }

  apply(): void {
    this.#waiting = this.#room.slots.apply(this);
  }

  admitted(slot: Slot): void {
    this.#waiting = undefined;
    this.status = "running";
    const cancellation = new Cancellation();
    this.#running = cancellation;
    if (this.admitBy !== Number.POSITIVE_INFINITY) {
      const { clock } = this.#room.runtime;
      this.#timer = clock.timer(this.admitBy - clock.now(), () => this.#expire());
    }
    void this.#run(slot, cancellation);
  }

  refused(fault: Fault): void {
    this.#waiting = undefined;
    this.#end(fault.kind === "aborted" ? "cancelled" : "failed", fault.error);
  }

  result(): Promise<unknown> {
    if (this.status === "done") return Promise.resolve(this.#outcome);
    if (this.status === "failed" || this.status === "cancelled") return Promise.reject(this.#outcome);
    return new Promise((resolve, reject) => {
      this.#listeners ??= [];
      this.#listeners.push({ resolve, reject });
    });
  }

  cancel(): boolean {
    if (this.status !== "queued" && this.status !== "running") return false;
    const reason = new DOMException(`The job "${this.id}" was cancelled.`, "AbortError");
    if (this.#waiting !== undefined) return this.#room.slots.withdraw(this.#waiting, aborted(reason));
    this.#stop("cancelled", reason);
    return true;
  }

  async #run(slot: Slot, cancellation: Cancellation): Promise<void> {
    // The caller of `submit`, or of whatever freed the slot, goes on first.
    await undefined;
    const fn = this.#fn;
    this.#fn = undefined;
    try {
      // Cancelled within the same turn: it has not begun and never will.
      if (fn === undefined || cancellation.cancelled) return;
      const value = await lend(this.#room.slots, slot, () => fn({ signal: cancellation.signal }));
      this.#end("done", value);
    } catch (error) {
      this.#end("failed", error);
    } finally {
      slot.release();
    }
  }

  #expire(): void {
    const message = `The job "${this.id}" did not end within its deadline.`;
    this.#stop("failed", new DeadlineExceededError(message, { policy: "pool" }));
  }

  #stop(status: "failed" | "cancelled", reason: unknown): void {
    this.#running?.cancel(reason);
    this.#end(status, reason);
  }

  #end(status: "done" | "failed" | "cancelled", outcome: unknown): void {
    if (this.status !== "queued" && this.status !== "running") return;
    this.status = status;
    this.#outcome = outcome;
    this.#timer?.cancel();
    this.#fn = undefined;
    this.#room.keep(this);
    const listeners = this.#listeners;
    this.#listeners = undefined;
    for (const { resolve, reject } of listeners ?? []) {
      if (status === "done") resolve(outcome);
      else reject(outcome);
    }
  }
}
