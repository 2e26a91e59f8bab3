import { type Channel, channel } from "node:diagnostics_channel";
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

/**
 * The channels of `node:diagnostics_channel`, one for each type: `breakwater:call.completed`. They carry the events of
 * every line of the process, for tools that watch a process from within. What a subscriber throws is Node's to report.
 */
const CHANNELS = Object.fromEntries(
  Object.keys(SEVERITIES).map((type) => [type, channel(`breakwater:${type}`)]),
) as Readonly<Record<EventType, Channel>>;

/** Told of an event before it has an envelope; see `EventBus.tap`. */
export type Tap<T extends EventType> = (payload: EventMap[T], call: Call | undefined) => void;

type Guard = (event: unknown) => void;

/** Who wants events of one type. */
class Topic {
  readonly channel: Channel | undefined;
  /** A function may be registered for several types; each registration has its own guard. */
  readonly guards = new Map<unknown, Guard>();
  taps: readonly Tap<EventType>[] = [];

  constructor(channelOfType: Channel | undefined) {
    this.channel = channelOfType;
  }

  get isWanted(): boolean {
    return this.guards.size > 0 || this.taps.length > 0 || this.channel?.hasSubscribers === true;
  }
}

/** Told the pause before each chunk of content but the first of a stream, in milliseconds, and the clock's time. */
export type ChunkMeter = (pauseMs: number, now: number) => void;

/**
 * Typed events, to listeners and to the channels of `node:diagnostics_channel`. A listener that throws, or whose promise
 * rejects, harms neither the call nor the others.
 */
export class EventBus {
  #emitter = new EventEmitter();
  #clock: Clock;
  #meterOf: ((call: Call) => ChunkMeter) | undefined;
  #topics = new Map<EventType, Topic>();
  /** Those who want every event. */
  #all = new Topic(undefined);

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Registers a listener for one type, or for all with `"*"`. Registering it twice counts once. */
  on<T extends EventType>(type: T | "*", listener: Listener<T>): () => void {
    const { guards } = type === "*" ? this.#all : this.#topic(type);
    if (!guards.has(listener)) {
      const guard = (event: unknown): void => this.#deliver(type, listener, event as BreakwaterEvent<T>);
      guards.set(listener, guard);
      this.#emitter.on(type, guard);
    }
    return () => this.off(type, listener);
  }

  off<T extends EventType>(type: T | "*", listener: Listener<T>): void {
    const guards = (type === "*" ? this.#all : this.#topics.get(type))?.guards;
    const guard = guards?.get(listener);
    if (guards === undefined || guard === undefined) return;
    guards.delete(listener);
    this.#emitter.off(type, guard);
  }

  /**
   * Has `tap` see the payload of each event of a type before it is put in an envelope, and before any listener: for what
   * counts every call. Gives back how to stop.
   */
  tap<T extends EventType>(type: T, tap: Tap<T>): () => void {
    const topic = this.#topic(type);
    topic.taps = [...topic.taps, tap as Tap<EventType>];
    return () => {
      topic.taps = topic.taps.filter((other) => other !== tap);
    };
  }

  /** Whether anybody listens: ask before building an event on a busy path. */
  wants(type: EventType): boolean {
    return this.#all.guards.size > 0 || this.#topic(type).isWanted;
  }

  /** The same for an event that costs more than who listens to all of them would want to pay. */
  wantsByName(type: EventType): boolean {
    return this.#topic(type).guards.size > 0;
  }

  /** Sends an event about `call`, or about no call in particular. */
  emit<T extends EventType>(type: T, call: Call | undefined, payload: EventMap[T]): void {
    const { channel: channelOfType, guards, taps } = this.#topic(type);
    for (const tap of taps) this.#show(type, tap, payload, call);
    const wanted = guards.size > 0;
    const wantedByAll = this.#all.guards.size > 0;
    const published = channelOfType?.hasSubscribers === true;
    if (!wanted && !wantedByAll && !published) return;
    // The payload first: an object that begins as a copy is made several times as fast.
    const event = {
      ...payload,
      v: 1,
      type,
      ts: this.#clock.wall(),
      severity: SEVERITIES[type],
      callId: call?.id,
      op: call?.operation,
      provider: call?.provider,
      model: call?.model,
    };
    if (wanted) this.#emitter.emit(type, event);
    if (wantedByAll) this.#emitter.emit("*", event);
    if (published) channelOfType.publish(event);
  }

  /**
   * Measures chunks of content, which are too many for events: `meterOf` is called once a stream, and what it gives once
   * a chunk. Neither may throw. There is one at a time; gives back how to stop.
   */
  meterChunks(meterOf: (call: Call) => ChunkMeter): () => void {
    this.#meterOf = meterOf;
    return () => {
      if (this.#meterOf === meterOf) this.#meterOf = undefined;
    };
  }

  /** What measures the chunks of this call's answer, if anything does. */
  chunkMeter(call: Call): ChunkMeter | undefined {
    return this.#meterOf?.(call);
  }

  removeAll(): void {
    this.#meterOf = undefined;
    this.#emitter.removeAllListeners();
    this.#all.guards.clear();
    this.#topics.clear();
  }

  get listenerCount(): number {
    let count = this.#all.guards.size;
    for (const { guards, taps } of this.#topics.values()) count += guards.size + taps.length;
    return count;
  }

  #topic(type: EventType): Topic {
    let topic = this.#topics.get(type);
    if (topic === undefined) {
      topic = new Topic(CHANNELS[type]);
      this.#topics.set(type, topic);
    }
    return topic;
  }

  #show<T extends EventType>(type: T, tap: Tap<EventType>, payload: EventMap[T], call: Call | undefined): void {
    try {
      tap(payload as EventMap[EventType], call);
    } catch (error) {
      this.#listenerFailed(type, type, error);
    }
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
