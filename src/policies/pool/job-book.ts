import type { Runtime } from "../../core/index.ts";
import type { Job, JobStatus } from "./job.ts";
import type { Slots } from "./slots.ts";

/** How many ended jobs are kept for `result` and `status`; the oldest go first. */
export const JOBS_KEPT = 1_000;

/** All jobs that are known, and what they share. */
export class JobBook {
  readonly slots: Slots;
  readonly runtime: Runtime;
  readonly #jobs = new Map<string, Job>();
  readonly #running = new Set<Job>();
  readonly #ended: Job[] = [];
  #oldest = 0;

  constructor(slots: Slots, runtime: Runtime) {
    this.slots = slots;
    this.runtime = runtime;
  }

  get(id: string): Job | undefined {
    return this.#jobs.get(id);
  }

  get counts(): { readonly queued: number; readonly running: number; readonly kept: number } {
    const running = this.#running.size;
    const kept = this.#ended.length;
    return { queued: this.#jobs.size - running - kept, running, kept };
  }

  submitted(job: Job): void {
    this.#jobs.set(job.id, job);
  }

  started(job: Job): void {
    this.#running.add(job);
  }

  ended(job: Job): void {
    this.#running.delete(job);
    const dropped = this.#ended[this.#oldest];
    if (dropped !== undefined) this.#jobs.delete(dropped.id);
    this.#ended[this.#oldest] = job;
    this.#oldest = (this.#oldest + 1) % JOBS_KEPT;
  }

  /** Up to `limit` jobs of that status, or of any. */
  list(status: JobStatus | undefined, limit: number): Job[] {
    const found: Job[] = [];
    const take = (jobs: Iterable<Job>, wanted: (job: Job) => boolean): void => {
      for (const job of jobs) {
        if (found.length >= limit) return;
        if (wanted(job)) found.push(job);
      }
    };
    if (status === undefined || status === "running") take(this.#running, () => true);
    if (status === undefined || status === "queued") take(this.#jobs.values(), (job) => job.status === "queued");
    if (status !== "running" && status !== "queued") {
      const inOrder = [...this.#ended.slice(this.#oldest), ...this.#ended.slice(0, this.#oldest)];
      take(inOrder, (job) => status === undefined || job.status === status);
    }
    return found;
  }
}
