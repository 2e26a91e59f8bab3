import { afterAll } from "vitest";
import { type ClusterMember, type ClusterOptions, cluster } from "../../src/cluster/index.ts";
import {
  createRuntime,
  type QuotaAmounts,
  type QuotaLimit,
  type QuotaShare,
  type Runtime,
} from "../../src/core/index.ts";

/** A member as another process would be one, closed when the tests of the file are over. */
export interface Opened {
  readonly member: ClusterMember;
  readonly runtime: Runtime;
}

const opened: ClusterMember[] = [];

afterAll(async () => {
  await Promise.all(opened.splice(0).map((member) => member.close()));
});

export function openMember(options: ClusterOptions): Opened {
  const runtime = createRuntime();
  const member = cluster(options).open(runtime);
  opened.push(member);
  return { member, runtime };
}

export function amountsOf(amounts: Partial<QuotaAmounts>): QuotaAmounts {
  return { requests: 0, tokens: 0, inputTokens: 0, outputTokens: 0, ...amounts };
}

/** Limits of a short window, so that a test sees several of them. */
export function perSecond(limit: number): QuotaLimit[] {
  return [{ unit: "requests", windowMs: 1_000, limit }];
}

/** One that takes from a share in the manner of the limiter: waits as long as it is told, and looks again when told to. */
export class Taker {
  readonly share: QuotaShare;
  readonly takenAt: number[] = [];
  /** Calls that are to be let through. */
  waiting = 0;
  readonly #amounts: QuotaAmounts;
  #timer: NodeJS.Timeout | undefined;

  constructor({ member }: Opened, key: string, limits: readonly QuotaLimit[], amounts: Partial<QuotaAmounts> = {}) {
    this.#amounts = amountsOf({ requests: 1, ...amounts });
    this.share = member.quotas.share(key, limits, {
      widened: () => this.#look(),
      waiting: () => this.#times(this.waiting),
    });
  }

  want(calls: number): void {
    this.waiting += calls;
    this.#look();
  }

  #look(): void {
    clearTimeout(this.#timer);
    while (this.waiting > 0) {
      const now = performance.now();
      const ms = this.share.delay(this.#amounts, now);
      if (ms > 0) {
        if (ms < Number.POSITIVE_INFINITY) this.#timer = setTimeout(() => this.#look(), ms);
        return;
      }
      this.share.take(this.#amounts, now);
      this.waiting--;
      this.takenAt.push(now);
    }
  }

  #times(count: number): QuotaAmounts {
    const { requests, tokens, inputTokens, outputTokens } = this.#amounts;
    return {
      requests: requests * count,
      tokens: tokens * count,
      inputTokens: inputTokens * count,
      outputTokens: outputTokens * count,
    };
  }
}

export function passing(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/** Waits until it holds, and fails the test that waits when it never does. */
export async function until(holds: () => boolean, whatMs = 30_000): Promise<void> {
  const by = performance.now() + whatMs;
  while (!holds()) {
    if (performance.now() > by) throw new Error(`It did not come true within ${whatMs} ms.`);
    await passing(5);
  }
}

/** All times at which any of them took, in order. */
export function together(takers: readonly Taker[]): number[] {
  return takers.flatMap(({ takenAt }) => takenAt).sort((a, b) => a - b);
}
