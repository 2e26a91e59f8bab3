import type { BreakwaterEvent, EventType, FaultKind } from "../../core/index.ts";
import type { CallRecord } from "./record.ts";
import type { World } from "./world.ts";

/** What the events have told of one call of the line. */
export interface CallBook {
  readonly record: CallRecord | undefined;
  readonly startedAt: number;
  readonly client: string | undefined;
  /** First tries and retries; a second try beside a slow first is none of them. */
  tries: number;
  lastFault: FaultKind | undefined;
  /** Attempts under way. */
  running: number;
  ends: number;
  durationMs: number;
}

/** One request as it left the line. */
export interface Sent {
  readonly at: number;
  readonly model: string;
  readonly client: string | undefined;
}

export type AnyEvent = BreakwaterEvent<EventType>;

/** Follows the events of a run, so that checks can ask what has happened. */
export class Book {
  readonly calls = new Map<string, CallBook>();
  readonly sent: Sent[] = [];
  /** When the circuit of a provider and model opened, and until when it refuses. */
  readonly open = new Map<string, { readonly from: number; readonly until: number }>();
  /** By provider: what retries cost, and how many tries ended well. */
  readonly retryCost = new Map<string, number>();
  readonly successes = new Map<string, number>();
  attemptsStarted = 0;
  attemptsEnded = 0;
  /** Of everything that happened, in order: two runs are the same when these are. */
  digest = 0x811c9dc5;
  readonly #world: World;
  readonly #ordinals = new Map<string, number>();

  constructor(world: World) {
    this.#world = world;
  }

  /** Takes an event in. */
  follow(event: AnyEvent): void {
    const now = this.#world.clock.now();
    this.#mix(`${now} ${event.type} ${this.#ordinalOf(event.callId)}`);
    switch (event.type) {
      case "call.started":
        this.#started(event, now);
        break;
      case "call.completed":
      case "call.failed":
      case "call.cancelled":
        this.#ended(event);
        break;
      case "attempt.started":
        this.#sent(event, now);
        break;
      case "attempt.completed":
        this.#attemptEnded(event.callId);
        increase(this.successes, event.provider, 1);
        break;
      case "attempt.failed":
        this.#failed(event);
        break;
      case "breaker.opened":
        this.open.set(circuitOf(event.key), { from: now, until: now + event.openForMs });
        break;
      case "breaker.closed":
      case "breaker.half_opened":
        this.open.delete(circuitOf(event.key));
        break;
    }
  }

  #started({ callId, client }: Extract<AnyEvent, { type: "call.started" }>, startedAt: number): void {
    if (callId === undefined) return;
    const record = this.#world.caller.getStore();
    const fresh = { tries: 0, lastFault: undefined, running: 0, ends: 0, durationMs: 0 };
    this.calls.set(callId, { record, startedAt, client, ...fresh });
  }

  #ended({
    callId = "",
    durationMs,
  }: Extract<AnyEvent, { type: "call.completed" | "call.failed" | "call.cancelled" }>): void {
    const call = this.calls.get(callId);
    if (call === undefined) return;
    call.ends++;
    call.durationMs = durationMs;
  }

  #sent({ callId = "", kind, model = "", provider }: Extract<AnyEvent, { type: "attempt.started" }>, at: number): void {
    this.attemptsStarted++;
    const call = this.calls.get(callId);
    this.sent.push({ at, model, client: call?.client });
    if (call === undefined) return;
    call.running++;
    if (kind === "hedge") return;
    call.tries++;
    if (kind === "retry" && call.lastFault !== undefined) increase(this.retryCost, provider, costOf(call.lastFault));
  }

  #failed({ callId, errorType }: Extract<AnyEvent, { type: "attempt.failed" }>): void {
    const call = this.#attemptEnded(callId);
    if (call !== undefined) call.lastFault = errorType;
  }

  #attemptEnded(callId = ""): CallBook | undefined {
    this.attemptsEnded++;
    const call = this.calls.get(callId);
    if (call !== undefined) call.running--;
    return call;
  }

  // The ids of calls count on from one run to the next.
  #ordinalOf(callId: string | undefined): number {
    if (callId === undefined) return -1;
    let ordinal = this.#ordinals.get(callId);
    if (ordinal === undefined) {
      ordinal = this.#ordinals.size;
      this.#ordinals.set(callId, ordinal);
    }
    return ordinal;
  }

  // FNV-1a, 32 bits.
  #mix(text: string): void {
    let digest = this.digest;
    for (let index = 0; index < text.length; index++) digest = Math.imul(digest ^ text.charCodeAt(index), 0x01000193);
    this.digest = digest >>> 0;
  }
}

/** `provider/model` of a circuit's key, which ends in the credential. */
function circuitOf(key: string): string {
  return key.slice(0, key.lastIndexOf("/"));
}

function increase(counts: Map<string, number>, key = "", by: number): void {
  counts.set(key, (counts.get(key) ?? 0) + by);
}

// As docs/retry.md says it.
function costOf(fault: FaultKind): number {
  if (fault === "rate_limited") return 0;
  return fault === "timeout" ? 2 : 1;
}
