import { functionOf, integerIn, knownKeys, OptionError, oneOf, type Runtime, textOf } from "../../core/index.ts";
import { Job, type JobContext, type JobInfo, type JobStatus } from "./job.ts";
import { JobBook } from "./job-book.ts";
import { type JobOptions, JobPlans, PLAIN_PLAN } from "./job-plan.ts";
import type { Slots } from "./slots.ts";

export type { JobContext, JobInfo, JobStatus } from "./job.ts";
export { JOBS_KEPT } from "./job-book.ts";
export type { JobOptions } from "./job-plan.ts";

export interface JobListOptions {
  /** Default: all. */
  readonly status?: JobStatus | undefined;
  /** At most so many, 1 to 10,000. Default 100. */
  readonly limit?: number | undefined;
}

/** Work of any kind that waits for the same slots as the calls do. */
export interface Jobs {
  /**
   * Queues `fn` under an id of the caller's own choice. It never starts before `submit` has returned, and runs in the
   * scope of the code that submits it. A refusal (queue full, deadline) is the job's failure, to be seen in `status`
   * and `result`.
   *
   * Throws {@link OptionError} for a wrong argument and for an id that is still known.
   */
  submit(id: string, fn: (context: JobContext) => unknown, options?: JobOptions): void;
  /** `undefined` for an id that was never submitted or is no longer kept. */
  status(id: string): JobStatus | undefined;
  /** What is known of a job; `undefined` for an id that was never submitted or is no longer kept. */
  info(id: string): JobInfo | undefined;
  /** Running jobs, then queued ones, then ended ones; each in the order in which they came to that. */
  list(options?: JobListOptions): JobInfo[];
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

const LIST_LIMIT = 100;
const LIST_LIMIT_MAX = 10_000;
const STATUSES = ["queued", "running", "done", "failed", "cancelled"] as const;

/**
 * The pool alone, for work that is not a call. A job holds its slots until its function has ended, and lends one of them
 * to the calls of the same optimizer that it makes, one at a time.
 */
export function createJobs({ slots }: { readonly slots: Slots }, runtime: Runtime): Jobs {
  const book = new JobBook(slots, runtime);
  const plans = new JobPlans(runtime.clock);

  return {
    submit(id, fn, options) {
      textOf("job.id", id);
      if (book.get(id) !== undefined) throw new OptionError("job.id", id, "an id that no other known job has");
      functionOf("job.fn", fn);
      new Job(id, fn, options === undefined ? PLAIN_PLAN : plans.of(options), book).apply();
    },
    status: (id) => book.get(id)?.status,
    info: (id) => book.get(id)?.info(),
    list(options = {}) {
      knownKeys("jobs", options, ["status", "limit"]);
      const { status, limit = LIST_LIMIT } = options;
      if (status !== undefined) oneOf("jobs.status", status, STATUSES);
      return book.list(status, integerIn("jobs.limit", limit, 1, LIST_LIMIT_MAX)).map((job) => job.info());
    },
    async result<T>(id: string) {
      const job = book.get(id);
      if (job === undefined) throw new OptionError("job.id", id, "the id of a job that is queued, running or kept");
      return job.result() as Promise<T>;
    },
    cancel: (id) => book.get(id)?.cancel() ?? false,
    snapshot: () => book.counts,
  };
}
