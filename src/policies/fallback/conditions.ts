import { blamesProvider, type Fault, type FaultKind, isRefusedError } from "../../core/index.ts";

/** Policies that refuse for want of room: there is some for whoever waits. */
const WITHOUT_ROOM: ReadonlySet<string> = new Set(["rateLimit", "throttle"]);
/** Policies whose refusal may be about one target, so that another may do. */
const OF_ONE_TARGET: ReadonlySet<string> = new Set([...WITHOUT_ROOM, "breaker", "budget"]);
/** Until a quota is renewed or a key replaced, where the provider does not say when. */
const GONE_MS = 60_000;
const GONE_MS_MAX = 600_000;

/** Whether another target may be asked after `fault`. */
export function movesOn(fault: Fault, on: ReadonlySet<FaultKind>): boolean {
  if (fault.committed || !on.has(fault.kind)) return false;
  return fault.kind !== "refused" || isRefusalOfTarget(fault);
}

/** Breakwater refused for this target's sake; its provider was not asked. */
export function isRefusalOfTarget(fault: Fault): boolean {
  return isRefusalOf(fault, OF_ONE_TARGET);
}

/** There was no room in time: there is, for whoever waits. */
export function isForWantOfRoom(fault: Fault): boolean {
  return isRefusalOf(fault, WITHOUT_ROOM);
}

function isRefusalOf({ kind, error }: Fault, policies: ReadonlySet<string>): boolean {
  return kind === "refused" && isRefusedError(error) && policies.has(error.policy);
}

/** How long nothing can be expected of a target that rejects its credential or whose quota is spent. */
export function goneMs({ kind, retryAfterMs }: Fault): number | undefined {
  if (kind !== "quota_exhausted" && kind !== "bad_credential") return undefined;
  return Math.min(GONE_MS_MAX, retryAfterMs ?? GONE_MS);
}

/** Whether the fault speaks against the target, and not only against the call or the moment. */
export function blamesTarget(fault: Fault): boolean {
  return blamesProvider(fault) || goneMs(fault) !== undefined;
}
