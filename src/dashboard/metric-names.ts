/** The metrics that the page shows, by their names in the monitor. */
export const CALLS = "breakwater.calls";
export const COST = "breakwater.cost";
export const DURATION = "gen_ai.client.operation.duration";
export const FIRST_CHUNK = "gen_ai.client.operation.time_to_first_chunk";
export const TOKENS = "gen_ai.client.token.usage";
export const WAIT = "breakwater.call.wait";
export const RETRIES = "breakwater.retries";
export const TIMEOUTS = "breakwater.timeouts";
export const AMPLIFICATION = "breakwater.amplification";
export const POOL_DEPTH = "breakwater.pool.depth";
export const OLDEST_AGE = "breakwater.call.oldest_age";
export const CACHE_LOOKUPS = "breakwater.cache.lookups";
export const COST_SAVED = "breakwater.cost.saved";
export const BUDGET_USED = "breakwater.budget.used";

/** A cancelled call tells nothing of whether it would have been answered. */
export const ENDED = { outcome: ["success", "error", "rejected"] } as const;
export const UNANSWERED = { outcome: ["error", "rejected"] } as const;
