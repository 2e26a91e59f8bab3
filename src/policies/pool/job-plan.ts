import {
  type Clock,
  type Duration,
  durationMs,
  integerIn,
  knownKeys,
  numberIn,
  PRIORITY_LEVELS,
  type Priority,
  priorityLevel,
  textOf,
} from "../../core/index.ts";

export interface JobOptions {
  /** Default `"normal"`. */
  readonly priority?: Priority | undefined;
  /** From now to the end of the job, waiting included. Default: none. */
  readonly deadline?: Duration | undefined;
  /** Whose job it is, for a fair share among clients. Default: that of all who name none. */
  readonly client?: string | undefined;
  /** Which of the pool's partitions it waits in. Default: none. */
  readonly partition?: string | undefined;
  /** How many slots it takes; one that is heavier than the pool runs alone. Default 1. */
  readonly weight?: number | undefined;
  /** About how many tokens it will use, for a fair share among clients. Default 1,000 for each slot. */
  readonly tokens?: number | undefined;
}

/** Options of a job that have been read. */
export interface JobPlan {
  readonly level: number;
  readonly endBy: number;
  readonly tenant: string | undefined;
  readonly partition: string | undefined;
  readonly weight: number;
  readonly tokens: number;
}

const TOKENS_DEFAULT = 1_000;
const OPTION_KEYS = ["priority", "deadline", "client", "partition", "weight", "tokens"];

export const PLAIN_PLAN: JobPlan = {
  level: PRIORITY_LEVELS.normal,
  endBy: Number.POSITIVE_INFINITY,
  tenant: undefined,
  partition: undefined,
  weight: 1,
  tokens: TOKENS_DEFAULT,
};

const PLANS_KEPT = 1_000;

/** Reads the options of jobs. Jobs of the same options share one plan: a queue may hold a million of them. */
export class JobPlans {
  readonly #clock: Clock;
  readonly #latest = new Map<string, JobPlan>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Throws `OptionError`. */
  of(options: JobOptions): JobPlan {
    const plan = planOf(options, this.#clock);
    const name = `${plan.level} ${plan.tenant ?? ""}`;
    const latest = this.#latest.get(name);
    if (latest !== undefined && isSame(plan, latest)) return latest;
    if (this.#latest.size >= PLANS_KEPT) this.#latest.clear();
    this.#latest.set(name, plan);
    return plan;
  }
}

function planOf(options: JobOptions, clock: Clock): JobPlan {
  knownKeys("job", options, OPTION_KEYS);
  const { priority, deadline, client, partition, weight = 1, tokens } = options;
  return {
    level: priority === undefined ? PRIORITY_LEVELS.normal : priorityLevel("job.priority", priority),
    endBy:
      deadline === undefined
        ? Number.POSITIVE_INFINITY
        : clock.now() + durationMs("job.deadline", deadline, { min: 1 }),
    tenant: client === undefined ? undefined : textOf("job.client", client),
    partition: partition === undefined ? undefined : textOf("job.partition", partition),
    weight: integerIn("job.weight", weight, 1),
    tokens: tokens === undefined ? weight * TOKENS_DEFAULT : numberIn("job.tokens", tokens, 0, Number.MAX_SAFE_INTEGER),
  };
}

function isSame(a: JobPlan, b: JobPlan): boolean {
  return (
    a.endBy === b.endBy &&
    a.tenant === b.tenant &&
    a.partition === b.partition &&
    a.weight === b.weight &&
    a.tokens === b.tokens
  );
}
