import type { CallFingerprint } from "./call-fingerprint.ts";
import type { FaultKind } from "./fault.ts";
import type { Certainty } from "./ledger.ts";
import type { QuotaUnit } from "./quota.ts";
import type { ServedBy, Usage } from "./reply.ts";
import type { AnsweredBy, AttemptKind } from "./trace.ts";

export type Severity = "debug" | "info" | "warning" | "error";

/** Milliseconds that a call spent waiting inside the line, by reason. */
export interface Waits {
  readonly queue: number;
  readonly throttle: number;
  readonly rateLimit: number;
  readonly backoff: number;
}

/** Where an answer came from, in full. */
export type CallAnsweredBy = AnsweredBy | Exclude<ServedBy, "upstream">;

/** Tokens that a call took. */
export interface Spent {
  /** Of all attempts, as the provider counted them; of an answer from the cache or of another call, what it had taken. */
  readonly usage: Usage | undefined;
  /** `exact`, or `atLeast` where an attempt was cut short or told nothing; absent without `usage`. */
  readonly usageCertainty: Exclude<Certainty, "estimated"> | undefined;
}

interface CallEnd extends Spent {
  /** From entering the line to the end of the body. */
  readonly durationMs: number;
  /** Time with at least one request at the provider. */
  readonly providerMs: number;
  readonly waits: Waits;
  readonly attempts: number;
  readonly stream: boolean;
  /** 0 (first) to 9 (last). */
  readonly priority: number;
  readonly client: string | undefined;
  readonly route: string | undefined;
  /** From entering the line to the first content the caller had, of a streamed answer that the provider was asked for. */
  readonly firstChunkMs: number | undefined;
}

/** One alert: a rule, and the labels for which it holds. */
export interface AlertFacts {
  readonly rule: string;
  readonly level: "info" | "warning" | "critical";
  readonly labels: Readonly<Record<string, string>>;
  /** Absent where an event has no value. */
  readonly value: number | undefined;
  /** That of the level; absent for an event without one. */
  readonly threshold: number | undefined;
  /** When the condition began to hold, milliseconds since the Unix epoch. */
  readonly since: number;
}

/** What could be better. */
interface RecommendationFacts {
  readonly id: string;
  readonly kind: string;
  readonly title: string;
  readonly evidence: Readonly<Record<string, number | string>>;
}

/** One change of one option. */
interface TuningStep {
  readonly kind: string;
  /** As `createOptimizer` names it. Times are milliseconds. */
  readonly option: string;
  /** Absent where the option was off. */
  readonly from: number | undefined;
  readonly to: number;
}

/** Every event and its payload; the envelope is added when it is sent. Times are milliseconds. */
export interface EventMap {
  "call.started": { readonly stream: boolean; readonly priority: number; readonly client: string | undefined };
  "call.first_chunk": { readonly ttfcMs: number; readonly attempt: number };
  "call.completed": CallEnd & {
    readonly servedBy: ServedBy;
    /** The same, and of an answer that the provider was asked for, who gave it. */
    readonly answeredBy: CallAnsweredBy;
    readonly tier: string | undefined;
    readonly responseModel: string | undefined;
    readonly finishReasons: readonly string[] | undefined;
  };
  "call.failed": CallEnd & {
    readonly errorType: FaultKind;
    readonly status: number | undefined;
    /** Which policy of ours refused, if it was us. */
    readonly refusedBy: string | undefined;
    readonly committed: boolean;
    /** Where the answer came from that broke off; absent when there was none. */
    readonly servedBy: ServedBy | undefined;
  };
  "call.cancelled": CallEnd;
  /**
   * What an ended call has in common with others, as one-way names: told right before its end, and only where somebody
   * listens to it by name.
   */
  "call.fingerprinted": CallFingerprint;

  "attempt.started": { readonly attempt: number; readonly kind: AttemptKind };
  "attempt.completed": {
    readonly attempt: number;
    readonly kind: AttemptKind;
    readonly durationMs: number;
    readonly firstContentMs: number | undefined;
    readonly status: number;
    readonly usage: Usage | undefined;
    /** The model that answered, where the reply says so. */
    readonly responseModel: string | undefined;
  };
  "attempt.failed": {
    readonly attempt: number;
    readonly kind: AttemptKind;
    readonly durationMs: number;
    readonly errorType: FaultKind;
    readonly status: number | undefined;
    readonly retryAfterMs: number | undefined;
    readonly usage: Usage | undefined;
  };

  "retry.scheduled": {
    /** Number of the attempt that will come. */
    readonly attempt: number;
    readonly delayMs: number;
    readonly reason: FaultKind;
    readonly source: "backoff" | "retry_after";
  };
  "retry.exhausted": {
    readonly attempts: number;
    readonly reason: FaultKind;
    /** `too_long`: the provider asks for a pause that nobody waits for inside a call, such as one of a daily quota. */
    readonly by: "attempts" | "budget" | "deadline" | "too_long";
  };
  /** A stream that had given content failed, and another try takes its place, as its caller allowed. */
  "retry.resumed": {
    /** Number of the try that takes over. */
    readonly attempt: number;
    readonly how: "restart" | "continue";
    readonly reason: FaultKind;
    /** Content chunks that the caller had been given. */
    readonly given: number;
  };
  /** The client retries on its own beneath us: two owners of retry. */
  "retry.stacked": { readonly retryCount: number };

  /** The first try gave no content within the learned delay: a second one runs beside it. */
  "hedge.started": { readonly afterMs: number };
  /** One of the two gave content first; the other was cancelled, and is paid for all the same. */
  "hedge.ended": {
    readonly winner: AttemptKind;
    /** From the second try's start. */
    readonly durationMs: number;
  };

  "timeout.fired": {
    readonly phase: "attempt" | "firstToken" | "idle" | "speed" | "total";
    readonly limitMs: number;
    readonly elapsedMs: number;
  };
  "stream.interrupted": { readonly chunks: number; readonly afterMs: number; readonly reason: FaultKind };

  /** A call goes to another target than it would have, or than it was at. `away`: that one had been given up. */
  "fallback.used": { readonly from: string; readonly to: string; readonly reason: FaultKind | "away" | "too_long" };
  /** A target is given up until a probe succeeds. */
  "fallback.left": { readonly target: string; readonly reason: FaultKind };
  /** It has its full share of the calls again. */
  "fallback.returned": { readonly target: string; readonly awayMs: number };

  "breaker.opened": {
    readonly key: string;
    /** `slow_calls`: too many were slow; `told`: another process opened it. */
    readonly reason: FaultKind | "probe_failed" | "slow_calls" | "told";
    /** 0 to 1, of the window. */
    readonly failureRate: number;
    readonly slowCallRate: number;
    readonly samples: number;
    readonly openForMs: number;
  };
  "breaker.half_opened": { readonly key: string };
  "breaker.closed": { readonly key: string; readonly openMs: number };
  "breaker.rejected": { readonly key: string; readonly retryAfterMs: number };

  "ratelimit.waited": { readonly limiter: string; readonly waitMs: number };
  "ratelimit.rejected": { readonly limiter: string; readonly retryAfterMs: number | undefined };
  "ratelimit.observed": {
    readonly key: string;
    readonly unit: QuotaUnit;
    readonly windowMs: number;
    readonly limit: number | undefined;
    readonly remaining: number | undefined;
  };
  /** The provider said "not before": every call of that credential and model waits. */
  "ratelimit.gated": { readonly key: string; readonly forMs: number };

  /** Spending has reached a share of a limit; once per share, limit and day or month. */
  "budget.threshold": {
    readonly scope: "global" | "client" | "label" | "model" | "credential";
    /** `global`, the client, the model, or `label=value`. */
    readonly name: string;
    readonly period: "day" | "month";
    readonly share: number;
    readonly spentDollars: number;
    readonly limitDollars: number;
  };
  /** What is spent of a limit, after each attempt. */
  "budget.updated": {
    readonly scope: "global" | "client" | "label" | "model" | "credential";
    readonly name: string;
    readonly period: "day" | "month";
    readonly spentDollars: number;
    readonly limitDollars: number;
  };
  "budget.rejected": {
    readonly scope: "global" | "client" | "label" | "model" | "credential";
    readonly name: string;
    /** Absent when the model has no price. */
    readonly period: "day" | "month" | undefined;
    readonly retryAfterMs: number | undefined;
  };
  /** A model has no price; once per model. */
  "budget.unpriced": { readonly action: "allow" | "refuse" };

  "throttle.changed": {
    readonly key: string;
    readonly from: number;
    readonly limit: number;
    readonly reason: "overloaded" | "slow_tokens" | "slow_first_token" | "recovering";
  };
  "throttle.waited": { readonly key: string; readonly waitMs: number };
  "throttle.rejected": {
    readonly key: string;
    readonly limit: number;
    /** `provider_refuses`: client throttling; `condition`: the own process is in a bad condition. */
    readonly reason: "full" | "deadline" | "provider_refuses" | "condition";
    readonly retryAfterMs: number | undefined;
  };

  /** The own process's condition reached its threshold, or is well below it again. */
  "condition.changed": {
    readonly condition: "cpu" | "memory" | "heap" | "loopDelay" | "loopUtilization";
    readonly exceeded: boolean;
    /** A share of 1; milliseconds for `loopDelay`. */
    readonly value: number;
    readonly threshold: number;
  };

  /** What major garbage collections leave has risen for a whole window, or no longer does. */
  "system.heap_growing": {
    readonly growing: boolean;
    /** 0 when it no longer grows. */
    readonly bytesPerHour: number;
    /** Right after the last major collection. */
    readonly floorBytes: number;
    readonly limitBytes: number;
  };
  /** The own process was the cause of a slow call, and a processor profile was taken. `top` names its hottest functions. */
  "profile.captured": {
    readonly id: string;
    readonly durationMs: number;
    readonly bytes: number;
    readonly top: readonly string[];
  };

  "pool.queued": { readonly depth: number; readonly priority: number };
  "pool.dequeued": { readonly waitMs: number; readonly depth: number; readonly priority: number };
  "pool.rejected": {
    readonly depth: number;
    readonly priority: number;
    readonly reason: "full" | "deadline";
    readonly retryAfterMs: number | undefined;
  };

  /** A job waits for a slot; `depth` counts all that do. */
  "job.queued": { readonly job: string; readonly priority: number; readonly depth: number };
  "job.started": { readonly job: string; readonly waitMs: number };
  /** What the job's function said last of how far it is: from 0 to 1, and a note of the user's own. */
  "job.progress": { readonly job: string; readonly fraction: number | undefined; readonly note: string | undefined };
  "job.done": {
    readonly job: string;
    readonly status: "done" | "failed" | "cancelled";
    /** From its start; absent for a job that never began. */
    readonly durationMs: number | undefined;
    /** The name of what it failed with. */
    readonly error: string | undefined;
  };

  "cache.hit": {
    readonly tier: string;
    readonly ageMs: number;
    /** How long the answer stays fresh; not above 0 when it is stale. */
    readonly ttlMs: number;
    readonly stale: boolean;
    readonly bytes: number;
  };
  "cache.miss": { readonly reason: "absent" | "expired" | "invalidated" | "mismatch" | "refresh" | "shape" };
  "cache.bypassed": { readonly reason: string };
  "cache.stored": { readonly bytes: number; readonly ttlMs: number };
  /** An entry was to be replaced in the background, because it was stale or soon would be. */
  "cache.refreshed": {
    readonly reason: "stale" | "early";
    readonly durationMs: number;
    /** Whether the provider gave an answer that could be kept. */
    readonly ok: boolean;
    /** What it cost: no call of the caller's own shows it. */
    readonly usage: Usage | undefined;
    readonly responseModel: string | undefined;
  };
  /** The answer was not kept, and why. */
  "cache.skipped": { readonly reason: string };
  "cache.evicted": { readonly tier: string; readonly entries: number; readonly bytes: number };
  /** What was invalidated, once the tiers have taken note: tags, a pattern, the entry of a key, or everything. */
  "cache.invalidated": {
    readonly tags: readonly string[];
    readonly pattern: string | undefined;
    readonly key: string | undefined;
    readonly everything: boolean;
    /** `elsewhere`: by another process, which a tier has told of. */
    readonly by: "here" | "elsewhere";
  };
  /** A tier may not have told of some invalidations by others: nothing in memory is used any more. */
  "cache.gap": { readonly tier: string };
  /** A call waited for the answer that another process was asking for. */
  "cache.waited": {
    readonly waitMs: number;
    /** `answered` by the other; `took_over` from one that ended without an answer; or `went_alone`. */
    readonly end: "answered" | "took_over" | "went_alone";
  };
  /** A tier failed, was too slow or held something unreadable; the call went on without it. */
  "cache.tier_failed": { readonly tier: string; readonly operation: string; readonly error: string };
  "cache.tier_disabled": { readonly tier: string; readonly forMs: number };
  "cache.tier_recovered": { readonly tier: string };
  "cache.tier_rebuilt": { readonly tier: string; readonly quarantined: string };

  /** A pass of a warming ended. The first four count its items. */
  "cache.warmed": {
    readonly hits: number;
    readonly filled: number;
    readonly skipped: number;
    readonly failed: number;
    readonly costTokens: number;
    /** 1 for the first. */
    readonly pass: number;
    readonly durationMs: number;
    readonly ended: "completed" | "stopped" | "refused" | "failed";
  };

  "coalesce.joined": { readonly followers: number };

  /** The server of shared quotas does not answer in time: this process goes by its part of them. */
  "cluster.lost": { readonly reason: string; readonly processes: number };
  "cluster.restored": { readonly awayMs: number };

  /** Answered from a question that was put in other words. `errorBound` is that of what is served, if there is one. */
  "semantic.hit": { readonly similarity: number; readonly errorBound: number | undefined; readonly ageMs: number };
  /** The provider was asked although a similar question had an answer: nothing is served yet, or to see how good it is. */
  "semantic.shadow": { readonly similarity: number };
  /** A similar question was passed over because a guard objected. */
  "semantic.guarded": { readonly guard: string; readonly similarity: number };
  /** It became known whether the answer of a similar question would have done. */
  "semantic.judged": { readonly similarity: number; readonly wrong: boolean; readonly by: "judge" | "report" };
  /** From now on answers are served from this similarity on. `errorBound`: what is known of them, if anything is. */
  "semantic.enabled": {
    readonly minSimilarity: number;
    readonly errorBound: number | undefined;
    readonly judged: number;
  };
  /** Nothing is served any more. `drift`: errors came too close together, and all evidence was dropped. */
  "semantic.disabled": { readonly reason: "bound" | "drift" | "options" };
  /** The embedder, the index or the judge failed or was too slow; the call went on without. At most one a second. */
  "semantic.failed": { readonly part: "embed" | "index" | "judge"; readonly error: string };

  "profile.tuned": { readonly profile: string };

  /** A function that `monitor.measure` or `monitor.measured` watches has ended. */
  "function.measured": { readonly name: string; readonly durationMs: number; readonly ok: boolean };

  /** Rows of the call log were lost: too many waited (`full`), or the file could not be written. At most one a second. */
  "calllog.dropped": {
    readonly rows: number;
    readonly reason: "full" | "failed";
    /** Name of what it failed with. */
    readonly error: string | undefined;
  };
  /** The call log's damaged file was set aside and a new one begun. */
  "calllog.rebuilt": { readonly quarantined: string };

  /** Two options, or an option and a fact, do not go together; see `lint`. */
  "lint.finding": {
    readonly rule: string;
    readonly level: "info" | "warning" | "error";
    /** The option to look at. */
    readonly where: string;
    readonly message: string;
    readonly change: string;
  };

  /** A message about alerts that began or ended together, or still last; all fields but these six are of the worst of them. */
  alert: AlertFacts & {
    readonly state: "firing" | "resolved";
    /** Name of the metric, or type of the event, that the rule is about. */
    readonly metric: string;
    readonly message: string;
    /** Messages of one group are about the same: rules of one family, and one provider. */
    readonly group: string;
    /** Messages about this group since it began to fire, this one not counted. */
    readonly repeat: number;
    /** How many alerts, of which `alerts` has the first 100. */
    readonly count: number;
    readonly alerts: readonly AlertFacts[];
    readonly runbook: string | undefined;
  };
  /** A condition holds, for less long than its rule asks for. */
  "alert.pending": AlertFacts;
  /** An alert began, or its level rose. */
  "alert.firing": AlertFacts;
  /** An alert is over. */
  "alert.resolved": AlertFacts;
  /** An alert fires and is not sent: another alert stands for it, a silence covers it, or it was sent a short time ago. */
  "alert.suppressed": AlertFacts & {
    readonly by: "alert" | "silence" | "cooldown";
    /** Id of the other alert's rule or of the silence. */
    readonly cause: string | undefined;
  };
  /** A handler has taken a message. */
  "alert.notified": { readonly rule: string; readonly handler: string; readonly durationMs: number };
  "alert.handler_failed": { readonly rule: string; readonly handler: string; readonly error: string };
  /** A rule cannot be read, such as one whose metric turned out to be of another kind. Told once, until it can be. */
  "alert.rule_failed": { readonly rule: string; readonly error: string };
  /** A metric reached its bound of label sets; the rest is counted under `other`. */
  "monitor.overflow": { readonly metric: string };
  /** Something could be better, as the figures of the last hour say. */
  "recommendation.raised": RecommendationFacts;
  /** It no longer stands. */
  "recommendation.cleared": RecommendationFacts;
  /** The summary of a day is handed to its handler. Milliseconds since the Unix epoch. */
  "report.ready": {
    readonly from: number;
    readonly to: number;
    readonly calls: number;
    readonly degradations: number;
    /** The health score, 0 to 100; absent with too few calls. */
    readonly score: number | undefined;
  };
  /** It could not be made, or its handler failed. */
  "report.failed": { readonly error: string };
  /** Automatic tuning has changed an option of the running line, and begins to watch the effect. */
  "tuning.applied": TuningStep;
  /** It got better by it, or at least not worse where nothing better was expected: the change stays. */
  "tuning.kept": TuningStep & { readonly reason: string };
  /** It got worse, or not better: the option is what it was before. */
  "tuning.rolled_back": TuningStep & { readonly reason: string };
  /** What an exporter was to send or write is lost, or late. */
  "exporter.failed": {
    readonly exporter: string;
    /** The name of the error, or its code where it has one. */
    readonly error: string;
    /** How many times in a row. */
    readonly consecutive: number;
  };
  /** `error` is the name of what was thrown; its message may hold what an event must not. */
  "listener.failed": { readonly listenerOf: string; readonly error: string };
}

export type EventType = keyof EventMap;

export const SEVERITIES: Readonly<Record<EventType, Severity>> = {
  "call.started": "debug",
  "call.first_chunk": "debug",
  "call.completed": "info",
  "call.failed": "error",
  "call.cancelled": "info",
  "call.fingerprinted": "debug",
  "attempt.started": "debug",
  "attempt.completed": "debug",
  "attempt.failed": "warning",
  "retry.scheduled": "warning",
  "retry.exhausted": "error",
  "retry.resumed": "warning",
  "retry.stacked": "warning",
  "hedge.started": "debug",
  "hedge.ended": "debug",
  "timeout.fired": "warning",
  "stream.interrupted": "error",
  "fallback.used": "warning",
  "fallback.left": "error",
  "fallback.returned": "info",
  "breaker.opened": "error",
  "breaker.half_opened": "info",
  "breaker.closed": "info",
  "breaker.rejected": "warning",
  "ratelimit.waited": "debug",
  "ratelimit.rejected": "warning",
  "ratelimit.observed": "debug",
  "ratelimit.gated": "warning",
  "budget.threshold": "warning",
  "budget.updated": "debug",
  "budget.rejected": "warning",
  "budget.unpriced": "info",
  "throttle.changed": "info",
  "throttle.waited": "debug",
  "throttle.rejected": "warning",
  "condition.changed": "warning",
  "system.heap_growing": "warning",
  "profile.captured": "info",
  "pool.queued": "debug",
  "pool.dequeued": "debug",
  "pool.rejected": "warning",
  "job.queued": "debug",
  "job.started": "debug",
  "job.progress": "debug",
  "job.done": "info",
  "cache.hit": "debug",
  "cache.miss": "debug",
  "cache.bypassed": "debug",
  "cache.stored": "debug",
  "cache.refreshed": "debug",
  "cache.skipped": "debug",
  "cache.evicted": "debug",
  "cache.invalidated": "info",
  "cache.gap": "warning",
  "cache.waited": "debug",
  "cache.tier_failed": "warning",
  "cache.tier_disabled": "warning",
  "cache.tier_recovered": "info",
  "cache.tier_rebuilt": "warning",
  "cache.warmed": "info",
  "coalesce.joined": "debug",
  "cluster.lost": "warning",
  "cluster.restored": "info",
  "semantic.hit": "debug",
  "semantic.shadow": "debug",
  "semantic.guarded": "debug",
  "semantic.judged": "debug",
  "semantic.enabled": "info",
  "semantic.disabled": "warning",
  "semantic.failed": "warning",
  "profile.tuned": "info",
  "function.measured": "debug",
  "calllog.dropped": "warning",
  "calllog.rebuilt": "warning",
  "lint.finding": "warning",
  alert: "warning",
  "alert.pending": "debug",
  "alert.firing": "warning",
  "alert.resolved": "info",
  "alert.suppressed": "info",
  "alert.notified": "debug",
  "alert.handler_failed": "warning",
  "alert.rule_failed": "warning",
  "monitor.overflow": "warning",
  "recommendation.raised": "info",
  "recommendation.cleared": "info",
  "report.ready": "info",
  "report.failed": "warning",
  "tuning.applied": "info",
  "tuning.kept": "info",
  "tuning.rolled_back": "warning",
  "exporter.failed": "warning",
  "listener.failed": "warning",
};
