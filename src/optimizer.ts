import { type CacheControl, cacheControl } from "./cache-control.ts";
import {
  acquireFrom,
  type CallLease,
  type CallOptions,
  callThrough,
  createFetch,
  executeWithLease,
  explainOf,
  type FunctionContext,
  type FunctionRequest,
  type LeaseOptions,
  runInScope,
  wrapClient,
} from "./clients/index.ts";
import type { Cluster } from "./cluster/index.ts";
import {
  type AccountBalance,
  type Clock,
  ClosedError,
  createRuntime,
  type EventType,
  type Explanation,
  faultOf,
  functionOf,
  knownKeys,
  type Line,
  type Listener,
  OptionError,
  type Policy,
  pipeline,
  type Random,
  type Runtime,
  type Scope,
} from "./core/index.ts";
import { lint } from "./lint/index.ts";
import {
  createMonitor,
  type Health,
  type Monitor,
  type MonitorOptions,
  type MonitorStats,
  semconvOf,
} from "./monitor/index.ts";
import { applySettings, buildPolicies, joinCluster } from "./optimizer-policies.ts";
import type { BudgetPolicy } from "./policies/budget/index.ts";
import {
  createJobs,
  type JobContext,
  type JobInfo,
  type JobListOptions,
  type JobOptions,
  type JobStatus,
  type Jobs,
} from "./policies/pool/index.ts";
import type { SemanticPolicy, SemanticTier } from "./policies/semantic/index.ts";
import { type ProfileName, profileNamed } from "./profiles.ts";
import { type Environment, type PolicySettings, resolveSettings } from "./settings.ts";
import { type SystemMetrics, type SystemOptions, systemMetrics, type Watched } from "./system/index.ts";

export interface OptimizerOptions extends PolicySettings {
  /** A named bundle of defaults. Default `"production"`. */
  readonly profile?: ProfileName | undefined;
  /**
   * Answers questions that are put in other words than one that was answered before: what `semantic()` of
   * `breakwater/semantic` gives. Default none.
   */
  readonly semantic?: SemanticTier | false | undefined;
  /**
   * Shares limits, gates and circuits with other processes: what `cluster()` of `breakwater/cluster` gives. Default none.
   */
  readonly cluster?: Cluster | false | undefined;
  /** Metrics and alerts. Default on, with the built-in alert rules; `false` counts nothing. */
  readonly monitor?: MonitorOptions | boolean | undefined;
  /**
   * Gauges of this process and this machine in the monitor, measured only when one is read. Default on, and off where
   * `clock` is given, since they are about the real process.
   */
  readonly system?: SystemOptions | boolean | undefined;
  /** What sends the requests of `optimizer.fetch`; a wrapped client keeps its own. Default the global `fetch`. */
  readonly fetch?: typeof globalThis.fetch | undefined;
  /** Variables that override the options. Default `process.env`; `{}` reads none. */
  readonly environment?: Environment | undefined;
  /** Time. Default real time. */
  readonly clock?: Clock | undefined;
  /** Chance. Default `Math.random`. */
  readonly random?: Random | undefined;
}

/** State of every policy of the line, as plain data. */
export interface OptimizerStats {
  readonly profile: ProfileName;
  readonly monitor: MonitorStats;
  /** Answers given from each tier of the cache. */
  readonly cacheHits: Readonly<Record<string, number>>;
  /** Calls that shared the answer of another one in flight. */
  readonly coalesced: number;
  /** What is reserved, used, given back and under way, by resource. */
  readonly ledger: Readonly<Record<string, AccountBalance>>;
  readonly policies: Readonly<Record<string, unknown>>;
}

const OPTION_KEYS = [
  "profile",
  "cache",
  "semantic",
  "cluster",
  "coalesce",
  "pool",
  "fallback",
  "retry",
  "hedge",
  "budget",
  "breaker",
  "throttle",
  "rateLimit",
  "timeout",
  "monitor",
  "system",
  "fetch",
  "environment",
  "clock",
  "random",
];

export interface Optimizer {
  /** Policies, outermost first, and what they run on: for tools that take a line. */
  readonly line: Line;
  readonly cache: CacheControl;
  /** The semantic cache, where the option `semantic` was given. */
  readonly semantic: SemanticPolicy | undefined;
  /** What was spent, where the option `budget` was given. */
  readonly budget: BudgetPolicy | undefined;
  readonly monitor: Monitor;
  /** Gauges of this process and this machine, where the option `system` is on. */
  readonly system: SystemMetrics | undefined;
  /** A `fetch` for any SDK that takes one: known endpoints go through the line, others pass untouched. */
  readonly fetch: typeof globalThis.fetch;
  /**
   * Sends a call of any async function through the line; see `FunctionRequest`. Throws what `fn` throws, `RefusedError`
   * when the line declines, `OptionError` for a malformed request.
   */
  call<T>(
    request: FunctionRequest,
    fn: (context: FunctionContext) => Promise<T> | T,
    options?: CallOptions,
  ): Promise<T>;
  /** Runs `fn`; every call made inside it has `scope`. Scopes nest. Throws `OptionError`. */
  run<T>(scope: Scope, fn: () => T): T;
  /**
   * Waits until every policy would send a call, and holds that permission for code of one's own, best with `using`. Throws
   * a `RefusedError` when the line declines, the signal's reason when the caller gives up, and `OptionError`.
   */
  acquire(options?: LeaseOptions): Promise<CallLease>;
  /**
   * Runs `fn` once under such a permission. `under` is the client whose limits apply, or all of the options. Throws what
   * `fn` and `acquire` throw.
   */
  executeWithProtection<T>(
    fn: (context: { readonly signal: AbortSignal }) => Promise<T> | T,
    under?: string | LeaseOptions,
  ): Promise<T>;
  /** Queues a job of any kind in the pool. Throws `OptionError` for a known id or when the pool is switched off. */
  submit<T>(id: string, fn: (context: JobContext) => Promise<T> | T, options?: JobOptions): void;
  status(id: string): JobStatus | undefined;
  /** What is known of a job; `undefined` for an id that was never submitted or is no longer kept. */
  info(id: string): JobInfo | undefined;
  /** Running jobs, then queued ones, then ended ones. Throws `OptionError`. */
  jobs(options?: JobListOptions): JobInfo[];
  result<T = unknown>(id: string): Promise<T>;
  cancel(id: string): boolean;
  /** Listens to one type of event, or to all with `"*"`; gives back how to stop. A listener that throws harms nobody. */
  on<T extends EventType>(type: T | "*", listener: Listener<T>): () => void;
  off<T extends EventType>(type: T | "*", listener: Listener<T>): void;
  /** Applies another profile to the running line. Options of the code and of the environment keep their say. */
  tune(profile: ProfileName): void;
  /** What happened to a call: of a `Response`, an error, a result of `call`, or the id that events carry. */
  explain(target: unknown): Explanation | undefined;
  stats(): OptimizerStats;
  health(): Health;
  ledger(): Record<string, AccountBalance>;
  /** Refuses what waits and whatever comes later, stores what is still to be stored, and lets go of everything. */
  close(): Promise<void>;
}

/**
 * Builds a line of policies from a profile and options, ready to stand in front of any number of clients.
 *
 * Throws `OptionError` for a wrong option or variable: it names it, shows the value and says what is accepted.
 */
export function createOptimizer(options: OptimizerOptions = {}): Optimizer {
  knownKeys("", options, OPTION_KEYS);
  if (options.fetch !== undefined) functionOf("fetch", options.fetch);
  const environment = options.environment ?? process.env;
  const runtime = createRuntime(definedParts(options));
  let current = resolveSettings(options.profile, options, environment);
  const policies = buildPolicies(current, options.semantic, runtime);
  const member = joinCluster(options.cluster, policies, runtime);
  const monitor = monitorOf(options.monitor ?? true, environment, runtime);
  const system = systemOf(options, { monitor, line: { runtime } });
  const inner = pipeline(...Object.values(policies).filter((policy): policy is Policy => policy !== undefined));
  const jobs: Jobs | undefined = policies.pool === undefined ? undefined : createJobs(policies.pool, runtime);

  // Later, so that whoever listens from the next line on hears it.
  queueMicrotask(() => tellFindings(options, runtime));

  let closed = false;
  const line: Line = {
    ...inner,
    execute: (call) =>
      closed ? Promise.resolve(faultOf({ kind: "refused", error: new ClosedError() })) : inner.execute(call),
  };
  const jobsOrThrow = (): Jobs => {
    if (closed) throw new ClosedError();
    if (jobs === undefined)
      throw new OptionError("pool", false, "anything but false for submit(): jobs wait in the pool");
    return jobs;
  };

  return {
    line,
    cache: cacheControl(policies.cache, policies.semantic, runtime.events),
    semantic: policies.semantic,
    budget: policies.budget,
    monitor,
    system,
    fetch: createFetch(line, options.fetch === undefined ? {} : { fetch: options.fetch }),
    call: (request, fn, callOptions) => callThrough(line, request, fn, callOptions),
    run: (scope, fn) => runInScope(scope, fn),
    acquire: (leaseOptions) => acquireFrom(line, leaseOptions),
    executeWithProtection: (fn, under) => executeWithLease(line, fn, under),
    submit: (id, fn, jobOptions) => jobsOrThrow().submit(id, fn, jobOptions),
    status: (id) => jobsOrThrow().status(id),
    info: (id) => jobsOrThrow().info(id),
    jobs: (listOptions) => jobsOrThrow().list(listOptions),
    result: (id) => jobsOrThrow().result(id),
    cancel: (id) => jobsOrThrow().cancel(id),
    on: (type, listener) => runtime.events.on(type, functionOf("listener", listener)),
    off: (type, listener) => runtime.events.off(type, listener),
    tune(profile) {
      const name = profileNamed("profile", profile);
      // The variable says with which profile to start; whoever tunes wants another.
      current = resolveSettings(name, options, { ...environment, BREAKWATER_PROFILE: undefined });
      applySettings(policies, current);
      runtime.events.emit("profile.tuned", undefined, { profile: current.profile });
    },
    explain: explainOf,
    stats: () => ({
      profile: current.profile,
      monitor: monitor.stats(),
      cacheHits: policies.cache?.stats().hits ?? {},
      coalesced: policies.coalesce?.snapshot().joined ?? 0,
      ledger: runtime.ledger.balances(),
      policies: Object.fromEntries(
        Object.entries(policies).flatMap(([name, policy]) => (policy === undefined ? [] : [[name, policy.snapshot()]])),
      ),
    }),
    health: () => monitor.health(),
    ledger: () => runtime.ledger.balances(),
    async close() {
      if (closed) return;
      closed = true;
      await inner.close();
      await member?.close();
      system?.close();
      monitor.close();
      runtime.events.removeAll();
    },
  };
}

/** Rules whose finding this process has been warned of. */
const warnedOf = new Set<string>();

function tellFindings(options: OptimizerOptions, { events }: Runtime): void {
  const heard = events.wants("lint.finding");
  for (const { severity: level, ...finding } of lint(options)) {
    const { rule, where, message, change } = finding;
    if (heard) {
      events.emit("lint.finding", undefined, { ...finding, level });
    } else if (level !== "info" && !warnedOf.has(rule)) {
      warnedOf.add(rule);
      process.emitWarning(`${where}: ${message}`, { type: "BreakwaterWarning", code: rule, detail: change });
    }
  }
}

function monitorOf(options: MonitorOptions | boolean, environment: Environment, runtime: Runtime): Monitor {
  // One that is switched off listens where nobody speaks, so that `optimizer.monitor` is always there.
  if (options === false) return createMonitor(createRuntime({ clock: runtime.clock }));
  const semconv = semconvOf(environment["OTEL_SEMCONV_STABILITY_OPT_IN"]);
  const defaults = { defaultAlerts: true, ...(semconv !== undefined && { semconv }) };
  return createMonitor(runtime, { ...defaults, ...(options === true ? {} : options) });
}

function systemOf({ system, monitor, clock }: OptimizerOptions, watched: Watched): SystemMetrics | undefined {
  if (!(system ?? (clock === undefined && monitor !== false))) return undefined;
  return systemMetrics(watched, typeof system === "object" ? system : {});
}

function definedParts({ clock, random }: OptimizerOptions): { clock?: Clock; random?: Random } {
  return {
    ...(clock !== undefined && { clock }),
    ...(random !== undefined && { random: functionOf("random", random) }),
  };
}

const optimizers = new WeakMap<object, Optimizer>();

/**
 * The same client, with the line behind it: same class, same methods, same types. The SDK's own retries are set to 0,
 * since the line owns them; its timeout and its signals stay in force. `using` may be an optimizer, which may serve
 * many clients, or the options of a new one (see `optimizerOf`).
 *
 * Throws `TypeError` for an object that is no known client, and `OptionError` for wrong options.
 */
export function withOptimization<T extends object>(client: T, using: Optimizer | OptimizerOptions = {}): T {
  const optimizer = isOptimizer(using) ? using : createOptimizer(using);
  try {
    const wrapped = wrapClient(client, optimizer.line);
    optimizers.set(wrapped, optimizer);
    return wrapped;
  } catch (error) {
    if (optimizer !== using) void optimizer.close();
    throw error;
  }
}

/** The optimizer behind a client that `withOptimization` gave; `undefined` for any other. */
export function optimizerOf(client: object): Optimizer | undefined {
  return optimizers.get(client);
}

function isOptimizer(value: Optimizer | OptimizerOptions): value is Optimizer {
  return typeof value === "object" && value !== null && "line" in value;
}
