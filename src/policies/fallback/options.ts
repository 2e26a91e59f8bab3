import {
  type Duration,
  durationMs,
  type FaultKind,
  functionOf,
  integerIn,
  knownKeys,
  numberIn,
  OptionError,
  oneOf,
  type Target,
  type TargetTraits,
  textOf,
} from "../../core/index.ts";

/** How targets of one rank share the calls. */
export type FallbackStrategy = "ordered" | "weighted" | "least-loaded" | "cheapest";

/** Faults after which another target may be asked. A wrong request and a caller's abort are never among them. */
export type FallbackFaultKind = Exclude<FaultKind, "bad_request" | "aborted">;

export interface AffinityOptions {
  /** How long after its last use a target keeps the calls that begin alike. Default `"5m"`. */
  readonly ttl?: Duration | undefined;
}

export interface FallbackOptions {
  /** Where else a call may go, made by `targetOf`. 1 to 50, each with a name of its own. */
  readonly targets: readonly Target[];
  /** What is known of the call's own target. */
  readonly own?: TargetTraits | undefined;
  /**
   * `ordered`: the call's own target first, then the others as they are listed. `weighted`: by `weight`. `least-loaded`:
   * of two drawn by `capacity` the one with fewer calls in flight for its capacity. `cheapest`: the one that costs least
   * and has room. Default `"ordered"`.
   */
  readonly strategy?: FallbackStrategy | undefined;
  /** The faults that move on. Default see `FALLBACK_DEFAULTS.on`. */
  readonly on?: readonly FallbackFaultKind[] | undefined;
  /**
   * How long a call may be kept waiting at a target (by limits, and by pauses before a retry) while one of a higher rank
   * could answer it. Between targets of one rank nothing is waited for. Default `"2s"`.
   */
  readonly maxWait?: Duration | undefined;
  /** How often a target that was given up is asked again, by one call. At least 1 ms. Default `"1s"`. */
  readonly probeEvery?: Duration | undefined;
  /** How long its share of the calls grows, from 10 % to all, after a probe has succeeded. Default `"3s"`. */
  readonly returnOver?: Duration | undefined;
  /** Calls whose prompts begin alike go to the target that served them before; `false`: they do not. Default `false`. */
  readonly affinity?: AffinityOptions | false | undefined;
}

const KINDS = [
  "rate_limited",
  "quota_exhausted",
  "overloaded",
  "server_error",
  "network",
  "timeout",
  "interrupted",
  "malformed",
  "bad_credential",
  "context_length",
  "content_filter",
  "refused",
  "unknown",
] as const satisfies readonly FallbackFaultKind[];

export const FALLBACK_DEFAULTS = {
  strategy: "ordered",
  on: KINDS.filter((kind) => kind !== "content_filter" && kind !== "unknown"),
  maxWait: "2s",
  probeEvery: "1s",
  returnOver: "3s",
  affinity: false,
} as const satisfies Omit<FallbackOptions, "targets">;

const AFFINITY_TTL = "5m";
const TARGETS_MAX = 50;
const RANK_MAX = 100;
const AMOUNT_MAX = 1e9;
const TRAITS = ["rank", "weight", "capacity", "price", "maxInputTokens", "when"] as const;

/** A place for calls, read: `target` is absent for the call's own. */
export interface PlaceSettings extends Pick<TargetTraits, "price" | "when"> {
  readonly target: Target | undefined;
  readonly rank: number;
  readonly weight: number;
  readonly capacity: number;
  readonly maxInputTokens: number | undefined;
}

export interface FallbackSettings {
  /** The call's own first. */
  readonly places: readonly PlaceSettings[];
  readonly strategy: FallbackStrategy;
  readonly on: ReadonlySet<FaultKind>;
  readonly maxWaitMs: number;
  readonly probeEveryMs: number;
  readonly returnOverMs: number;
  /** Absent: calls do not stick. */
  readonly affinityMs: number | undefined;
}

/** Reads options. Throws {@link OptionError}. */
export function readFallbackOptions(options: FallbackOptions): FallbackSettings {
  knownKeys("fallback", options, ["targets", "own", ...Object.keys(FALLBACK_DEFAULTS)]);
  const strategy = oneOf("fallback.strategy", options.strategy ?? FALLBACK_DEFAULTS.strategy, [
    "ordered",
    "weighted",
    "least-loaded",
    "cheapest",
  ]);
  const targets = readTargets(options.targets);
  const own = options.own ?? {};
  knownKeys("fallback.own", own, TRAITS);
  const rankOf = (at: number): number => (strategy === "ordered" ? at : 0);
  return {
    places: [
      readPlace("fallback.own", own, undefined, 0),
      ...targets.map((target, at) => readPlace(`fallback.targets[${at}]`, target, target, rankOf(at + 1))),
    ],
    strategy,
    on: readKinds(options.on ?? FALLBACK_DEFAULTS.on),
    maxWaitMs: durationMs("fallback.maxWait", options.maxWait ?? FALLBACK_DEFAULTS.maxWait),
    probeEveryMs: durationMs("fallback.probeEvery", options.probeEvery ?? FALLBACK_DEFAULTS.probeEvery, { min: 1 }),
    returnOverMs: durationMs("fallback.returnOver", options.returnOver ?? FALLBACK_DEFAULTS.returnOver),
    affinityMs: readAffinity(options.affinity ?? FALLBACK_DEFAULTS.affinity),
  };
}

function readTargets(value: unknown): readonly Target[] {
  const accepted = `an array of 1 to ${TARGETS_MAX} targets made by targetOf()`;
  if (!Array.isArray(value) || value.length === 0 || value.length > TARGETS_MAX) {
    throw new OptionError("fallback.targets", value, accepted);
  }
  const names = new Set<string>();
  for (const [at, target] of (value as readonly Partial<Target>[]).entries()) {
    const option = `fallback.targets[${at}]`;
    if (typeof target !== "object" || target === null || typeof target.apply !== "function") {
      throw new OptionError(option, target, "what targetOf() gives");
    }
    const name = textOf(`${option}.name`, target.name, 128);
    if (names.has(name)) throw new OptionError(`${option}.name`, name, "a name that no other target has");
    names.add(name);
  }
  return value as readonly Target[];
}

function readPlace(option: string, traits: TargetTraits, target: Target | undefined, rank: number): PlaceSettings {
  const { price, maxInputTokens, when } = traits;
  const amount = (name: "weight" | "capacity"): number =>
    traits[name] === undefined ? 1 : numberIn(`${option}.${name}`, traits[name], 1e-6, AMOUNT_MAX);
  if (price !== undefined) {
    knownKeys(`${option}.price`, price, ["input", "output"]);
    numberIn(`${option}.price.input`, price.input, 0, AMOUNT_MAX);
    numberIn(`${option}.price.output`, price.output, 0, AMOUNT_MAX);
  }
  if (when !== undefined) functionOf(`${option}.when`, when);
  return {
    target,
    rank: traits.rank === undefined ? rank : integerIn(`${option}.rank`, traits.rank, 0, RANK_MAX),
    weight: amount("weight"),
    capacity: amount("capacity"),
    price,
    maxInputTokens: maxInputTokens === undefined ? undefined : integerIn(`${option}.maxInputTokens`, maxInputTokens, 1),
    when,
  };
}

function readKinds(value: unknown): ReadonlySet<FaultKind> {
  if (!Array.isArray(value)) throw new OptionError("fallback.on", value, `an array of ${KINDS.join(", ")}`);
  return new Set(value.map((kind, at) => oneOf(`fallback.on[${at}]`, kind, KINDS)));
}

function readAffinity(value: AffinityOptions | false): number | undefined {
  if (value === false) return undefined;
  knownKeys("fallback.affinity", value, ["ttl"]);
  return durationMs("fallback.affinity.ttl", value.ttl ?? AFFINITY_TTL, { min: 1 });
}
