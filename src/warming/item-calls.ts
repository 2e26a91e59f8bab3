import { AsyncLocalStorage } from "node:async_hooks";
import type { EventType } from "../core/index.ts";
import type { Optimizer } from "../optimizer.ts";

/** How an item ended. `refused`: the line or the provider said "not now". */
export type ItemOutcome = "hit" | "filled" | "skipped" | "failed" | "refused";

const REJECTIONS = ["breaker.rejected", "pool.rejected", "ratelimit.rejected", "throttle.rejected"] as const;

/** What the calls of one item came to. */
export class ItemCalls {
  /** Calls that were answered, and those among them that the provider was not asked for. */
  answered = 0;
  answeredFromCache = 0;
  stored = 0;
  /** Tokens that were paid for. */
  tokens = 0;
  /** Whether a later try may succeed. */
  notNow = false;
  /** When, at the latest that a call was told. */
  retryAfterMs: number | undefined;

  outcome(rejected: boolean): ItemOutcome {
    if (rejected) return this.notNow ? "refused" : "failed";
    if (this.stored > 0) return "filled";
    return this.answered > 0 && this.answered === this.answeredFromCache ? "hit" : "skipped";
  }

  waitFor(retryAfterMs: number | undefined): void {
    if (retryAfterMs !== undefined) this.retryAfterMs = Math.max(this.retryAfterMs ?? 0, retryAfterMs);
  }
}

/** Tells which call belongs to which item, by where it was made. */
export interface CallWatch {
  run<T>(item: ItemCalls, fn: () => T): T;
  stop(): void;
}

/** Listens to the optimizer's events until it is stopped. */
export function watchCalls(optimizer: Pick<Optimizer, "on">): CallWatch {
  const storage = new AsyncLocalStorage<ItemCalls>();
  const items = new Map<string | undefined, ItemCalls>();
  const offs = [
    // Sent where the call is made, so that the item is known there; later events know only the call.
    optimizer.on("call.started", ({ callId }) => {
      const item = storage.getStore();
      if (item !== undefined) items.set(callId, item);
    }),
    optimizer.on("cache.stored", ({ callId }) => {
      const item = items.get(callId);
      if (item !== undefined) item.stored++;
    }),
    optimizer.on("call.completed", ({ callId, servedBy, usage }) => {
      const item = items.get(callId);
      if (item === undefined) return;
      items.delete(callId);
      item.answered++;
      if (servedBy !== "upstream") item.answeredFromCache++;
      else if (usage !== undefined) item.tokens += usage.inputTokens + usage.outputTokens;
    }),
    optimizer.on("call.failed", ({ callId, errorType, usage }) => {
      const item = items.get(callId);
      if (item === undefined) return;
      items.delete(callId);
      if (usage !== undefined) item.tokens += usage.inputTokens + usage.outputTokens;
      if (errorType === "rate_limited" || errorType === "overloaded") item.notNow = true;
    }),
    optimizer.on("call.cancelled", ({ callId }) => void items.delete(callId)),
    optimizer.on("attempt.failed", ({ callId, retryAfterMs }) => items.get(callId)?.waitFor(retryAfterMs)),
    ...REJECTIONS.map((type: EventType) => optimizer.on(type, (event) => reject(items, event as Rejection))),
  ];
  return {
    run: (item, fn) => storage.run(item, fn),
    stop() {
      for (const off of offs) off();
      items.clear();
    },
  };
}

interface Rejection {
  readonly type: (typeof REJECTIONS)[number];
  readonly callId: string | undefined;
  readonly retryAfterMs: number | undefined;
}

function reject(items: Map<string | undefined, ItemCalls>, { type, callId, retryAfterMs }: Rejection): void {
  const item = items.get(callId);
  if (item === undefined) return;
  // A limiter that tells no time means that waiting does not help; the others cannot tell one yet.
  if (type === "ratelimit.rejected" && retryAfterMs === undefined) return;
  item.notNow = true;
  item.waitFor(retryAfterMs);
}
