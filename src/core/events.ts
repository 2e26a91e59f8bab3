import { EventEmitter } from "eventemitter3";
import type { Call } from "./call.ts";
import type { Clock } from "./clock.ts";
import { type EventMap, type EventType, SEVERITIES, type Severity } from "./event-map.ts";

/** What every event carries. It never holds prompt or completion text, nor a key. */
export interface Envelope<T extends EventType = EventType> {
  /** Version of the envelope. */
  readonly v: 1;
  readonly type: T;
  /** Milliseconds since the Unix epoch. */
  readonly ts: number;
  readonly severity: Severity;
  /** These four are absent from events that are about no call. */
  readonly callId: string | undefined;
  /** OpenTelemetry `gen_ai.operation.name`: `chat`, `embeddings` ... */
  readonly op: string | undefined;
  readonly provider: string | undefined;
  readonly model: string | undefined;
}

export type BreakwaterEvent<T extends EventType = EventType> = { [K in T]: Envelope<K> & EventMap[K] }[T];
export type Listener<T extends EventType> = (event: BreakwaterEvent<T>) => unknown;

/** Typed events. A listener that throws, or whose promise rejects, harms neither the call nor the others. */
export class EventBus {
  #emitter = new EventEmitter();
  #clock: Clock;
  // A function may be registered for several types; each registration has its own guard.
  #guards = new Map<string, Map<unknown, (event: unknown) => void>>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Registers a listener for one type, or for all with `"*"`. Registering it twice counts once. */
  on<T extends EventType>(type: T | "*", listener: Listener<T>): () => void {
    let guards = this.#guards.get(type);
    if (guards === undefined) {
      guards = new Map();
      this.#guards.set(type, guards);
    }
    if (!guards.has(listener)) {
      const guard = (event: unknown): void => this.#deliver(type, listener, event as BreakwaterEvent<T>);
      guards.set(listener, guard);
      this.#emitter.on(type, guard);
    }
    return () => this.off(type, listener);
  }

  off<T extends EventType>(type: T | "*", listener: Listener<T>): void {
    const guards = this.#guards.get(type);
    const guard = guards?.get(listener);
    if (guards === undefined || guard === undefined) return;
    guards.delete(listener);
    this.#emitter.off(type, guard);
  }

  /** Whether anybody listens: ask before building an event on a busy path. */
  wants(type: EventType): boolean {
    return this.#emitter.listenerCount(type) > 0 || this.#emitter.listenerCount("*") > 0;
  }

  /** Sends an event about `call`, or about no call in particular. */
  emit<T extends EventType>(type: T, call: Call | undefined, payload: EventMap[T]): void {
    const wanted = this.#emitter.listenerCount(type) > 0;
    const wantedByAll = this.#emitter.listenerCount("*") > 0;
    if (!wanted && !wantedByAll) return;
    const event = {
      v: 1,
      type,
      ts: this.#clock.wall(),
      severity: SEVERITIES[type],
      callId: call?.id,
      op: call?.operation,
      provider: call?.provider,
      model: call?.model,
      ...payload,
    };
    if (wanted) this.#emitter.emit(type, event);
    if (wantedByAll) this.#emitter.emit("*", event);
  }

  removeAll(): void {
    this.#emitter.removeAllListeners();
    this.#guards.clear();
  }

  get listenerCount(): number {
    let count = 0;
    for (const guards of this.#guards.values()) count += guards.size;
    return count;
  }

  #deliver<T extends EventType>(type: T | "*", listener: Listener<T>, event: BreakwaterEvent<T>): void {
    try {
      const result = listener(event);
      if (result instanceof Promise) result.catch((error: unknown) => this.#listenerFailed(type, event.type, error));
    } catch (error) {
      this.#listenerFailed(type, event.type, error);
    }
  }

  #listenerFailed(type: string, eventType: EventType, error: unknown): void {
    // A listener of this very event that fails again would call itself for ever.
    if (eventType === "listener.failed") return;
    this.emit("listener.failed", undefined, {
      listenerOf: type,
      error: errorName(error),
    });
  }
}

/** What an event may say of an error: not its message, which may repeat what an event must not carry. */
export function errorName(error: unknown): string {
  return error instanceof Error ? error.name : typeof error;
}
