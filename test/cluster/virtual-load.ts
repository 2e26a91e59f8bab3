import {
  type Clock,
  type QuotaAmounts,
  type QuotaLimit,
  type QuotaShare,
  seededRandom,
  type Timer,
} from "../../src/core/index.ts";
import { amountsOf } from "./support.ts";
import type { VirtualMember, VirtualServer } from "./virtual-server.ts";

/** One that takes calls from a share in the manner of the limiter, in virtual time. */
export class Caller {
  readonly share: QuotaShare;
  /** When each call was let through, and how long it had waited: times of the machine. */
  readonly taken: { readonly at: number; readonly waitedMs: number }[] = [];
  readonly #clock: Clock;
  readonly #machine: Clock;
  readonly #amounts: QuotaAmounts;
  readonly #waitingSince: number[] = [];
  #timer: Timer | undefined;
  #next: Timer | undefined;

  constructor(
    server: VirtualServer,
    { member, clock }: VirtualMember,
    key: string,
    limits: readonly QuotaLimit[],
    amounts: Partial<QuotaAmounts> = {},
  ) {
    this.#clock = clock;
    this.#machine = server.clock;
    this.#amounts = amountsOf({ requests: 1, ...amounts });
    this.share = member.quotas.share(key, limits, {
      widened: () => this.#look(),
      waiting: () => this.#times(this.waiting),
    });
  }

  get waiting(): number {
    return this.#waitingSince.length;
  }

  /** Until one more call may go. */
  delay(): number {
    return this.share.delay(this.#amounts, this.#clock.now());
  }

  /** A call has used something else than what was taken for it. */
  correct(used: QuotaAmounts): void {
    const now = this.#clock.now();
    this.share.correct(this.#amounts, used, now, now);
  }

  want(calls: number): void {
    for (let call = 0; call < calls; call++) this.#waitingSince.push(this.#machine.now());
    this.#look();
  }

  /** Calls at random times, so many in a second. */
  call(perSecond: number, seed: number): void {
    const random = seededRandom(seed);
    const next = (): void => {
      this.#next = this.#machine.timer((-Math.log(1 - random()) * 1_000) / perSecond, () => {
        this.want(1);
        next();
      });
    };
    next();
  }

  stop(): void {
    this.#next?.cancel();
    this.#waitingSince.length = 0;
  }

  #look(): void {
    this.#timer?.cancel();
    for (let since = this.#waitingSince[0]; since !== undefined; since = this.#waitingSince[0]) {
      const now = this.#clock.now();
      const ms = this.share.delay(this.#amounts, now);
      if (ms > 0) {
        if (ms < Number.POSITIVE_INFINITY) this.#timer = this.#machine.timer(ms, () => this.#look());
        return;
      }
      this.share.take(this.#amounts, now);
      this.#waitingSince.shift();
      const at = this.#machine.now();
      this.taken.push({ at, waitedMs: at - since });
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

/** All times at which any of them took, in order. */
export function timesOf(callers: readonly Caller[]): number[] {
  return callers.flatMap(({ taken }) => taken.map(({ at }) => at)).sort((a, b) => a - b);
}

/** The wait that so great a share of the calls between two times did not exceed. */
export function waitOf(callers: readonly Caller[], from: number, to: number, quantile: number): number {
  const waits = callers.flatMap(({ taken }) => taken.filter(({ at }) => at >= from && at < to));
  const sorted = waits.map(({ waitedMs }) => waitedMs).sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * quantile))] ?? 0;
}

export function countBetween(times: readonly number[], from: number, to: number): number {
  return times.filter((at) => at >= from && at < to).length;
}

export const PER_SECOND = 100;
export const MINUTE = [{ unit: "requests", windowMs: 60_000, limit: 60 * PER_SECOND }] as const;

export const isCentral = ({ member }: VirtualMember) => member.snapshot().central;

/** Processes that know of one another, each with its part of `perSecond` calls. */
export async function callersOf(server: VirtualServer, count: number, perSecond: number) {
  const opened = Array.from({ length: count }, () => server.open());
  await server.pass(1_000);
  await server.until(() => opened.every(({ member }) => member.snapshot().processes === count));
  const callers = opened.map((one) => new Caller(server, one, "global", MINUTE));
  for (const [index, caller] of callers.entries()) caller.call(perSecond / count, index + 1);
  await server.pass(5_000);
  return { opened, callers };
}

/** Milliseconds until every process has the server again. */
export async function backMs(server: VirtualServer, opened: readonly VirtualMember[]): Promise<number> {
  const from = server.clock.now();
  while (!opened.every(isCentral)) await server.pass(10);
  return server.clock.now() - from;
}
