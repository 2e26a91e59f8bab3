import {
  type Clock,
  type Duration,
  durationMs,
  type EventBus,
  errorName,
  functionOf,
  knownKeys,
  OptionError,
  oneOf,
  type Timer,
  textOf,
} from "../../core/index.ts";
import type { Message } from "./groups.ts";
import { type Alert, type AlertHandler, type AlertLevel, LEVELS } from "./rule.ts";

/** Which messages a handler gets. */
export interface NotifyOptions {
  /** Default all. The end of what a handler was told of is told it whatever its level. */
  readonly levels?: readonly AlertLevel[];
  /** What events call it. Default the function's name. */
  readonly name?: string;
  /** How long the promise of a handler may take before it counts as failed. Default `"5s"`. */
  readonly timeout?: Duration;
}

const TIMEOUT_MS = 5_000;
const HANDLERS_MAX = 50;
const IN_FLIGHT_MAX = 4;
const QUEUE_MAX = 100;
const FAILURES_MAX = 5;
const PAUSE_MS = 30_000;

interface Runtime {
  readonly clock: Clock;
  readonly events: EventBus;
}

/**
 * One handler and what it has still to be told. At most 4 messages are with it at a time, of one group one after the other;
 * 100 wait, then the oldest is given up. After 5 failures in a row it is left alone for 30 s, then tried with one message.
 */
class Lane {
  readonly name: string;
  readonly levels: readonly AlertLevel[] | undefined;
  #handler: AlertHandler;
  #runtime: Runtime;
  #timeoutMs: number;
  #waiting: Alert[] = [];
  #busy = new Map<string, { readonly abort: AbortController; timer: Timer | undefined }>();
  /** Groups that it was told of. */
  #told = new Set<string>();
  #failures = 0;
  #pause: Timer | undefined;
  #closed = false;

  constructor(handler: AlertHandler, runtime: Runtime, { levels, name, timeout }: NotifyOptions) {
    this.#handler = functionOf("notify.handler", handler);
    this.#runtime = runtime;
    this.name = name === undefined ? handler.name || "handler" : textOf("notify.name", name);
    this.levels = levels === undefined ? undefined : readLevelWords(levels);
    this.#timeoutMs = durationMs("notify.timeout", timeout ?? TIMEOUT_MS, { min: 1, max: 600_000 });
  }

  push(alert: Alert): void {
    // One that another handler has just stopped may still be on the list of those to be told.
    if (this.#closed || !this.#wants(alert)) return;
    this.#waiting.push(alert);
    if (this.#waiting.length > QUEUE_MAX) this.#failed(this.#waiting.shift() as Alert, "QueueFull");
    this.#pump();
  }

  get idle(): boolean {
    return this.#waiting.length === 0 && this.#busy.size === 0 && this.#told.size === 0;
  }

  close(): void {
    this.#closed = true;
    this.#waiting = [];
    this.#pause?.cancel();
    for (const { abort, timer } of this.#busy.values()) {
      timer?.cancel();
      abort.abort();
    }
    this.#busy.clear();
  }

  #wants({ group, level, state }: Alert): boolean {
    const wanted = this.levels === undefined || this.levels.includes(level) || this.#told.has(group);
    if (state === "firing" && wanted) this.#told.add(group);
    if (state === "resolved") this.#told.delete(group);
    return wanted;
  }

  #pump(): void {
    while (this.#pause === undefined && this.#busy.size < (this.#failures >= FAILURES_MAX ? 1 : IN_FLIGHT_MAX)) {
      const index = this.#waiting.findIndex(({ group }) => !this.#busy.has(group));
      const [alert] = index < 0 ? [] : this.#waiting.splice(index, 1);
      if (alert === undefined) return;
      this.#deliver(alert);
    }
  }

  #deliver(alert: Alert): void {
    const { clock } = this.#runtime;
    const startedAt = clock.now();
    const abort = new AbortController();
    const entry: { abort: AbortController; timer: Timer | undefined } = { abort, timer: undefined };
    this.#busy.set(alert.group, entry);
    const end = (error: string | undefined): void => {
      // Too late or after the end: it has been told, or nobody wants to know.
      if (this.#busy.get(alert.group) !== entry) return;
      this.#busy.delete(alert.group);
      entry.timer?.cancel();
      if (error === undefined) this.#succeeded(alert, clock.now() - startedAt);
      else this.#failed(alert, error);
      this.#pump();
    };
    try {
      const result = this.#handler(alert, { signal: abort.signal });
      if (isThenable(result)) {
        entry.timer = clock.background(this.#timeoutMs, () => {
          end("TimeoutError");
          abort.abort(new DOMException(`The handler did not end within ${this.#timeoutMs} ms.`, "TimeoutError"));
        });
        result.then(
          () => end(undefined),
          (error: unknown) => end(errorName(error)),
        );
      } else {
        end(undefined);
      }
    } catch (error) {
      end(errorName(error));
    }
  }

  #succeeded({ rule }: Alert, durationMs: number): void {
    this.#failures = 0;
    this.#runtime.events.emit("alert.notified", undefined, { rule, handler: this.name, durationMs });
  }

  #failed({ rule }: Alert, error: string): void {
    this.#failures++;
    // Not the message of an error: it may repeat the address of a webhook.
    this.#runtime.events.emit("alert.handler_failed", undefined, { rule, handler: this.name, error });
    if (this.#failures < FAILURES_MAX || this.#pause !== undefined) return;
    this.#pause = this.#runtime.clock.background(PAUSE_MS, () => {
      this.#pause = undefined;
      this.#pump();
    });
  }
}

/** Hands messages to handlers. Whatever one does harms neither the others nor the alerts. */
export class Delivery {
  #runtime: Runtime;
  #subscribed = new Map<AlertHandler, Lane>();
  /** Those of rules: they come and go with messages. */
  #ofRules = new Map<AlertHandler, Lane>();

  constructor(runtime: Runtime) {
    this.#runtime = runtime;
  }

  /** Gives a handler every message from now on. Throws {@link OptionError}. */
  subscribe(handler: AlertHandler, options: NotifyOptions = {}): () => void {
    knownKeys("notify", options, ["levels", "name", "timeout"]);
    functionOf("notify.handler", handler);
    if (this.#subscribed.has(handler)) throw new OptionError("notify.handler", handler.name, "a handler only once");
    if (this.#subscribed.size >= HANDLERS_MAX) {
      throw new OptionError("notify.handler", handler.name, `at most ${HANDLERS_MAX} handlers`);
    }
    const lane = new Lane(handler, this.#runtime, options);
    this.#subscribed.set(handler, lane);
    return () => {
      if (this.#subscribed.get(handler) !== lane) return;
      this.#subscribed.delete(handler);
      lane.close();
    };
  }

  send({ alert, handlers }: Message): void {
    this.#runtime.events.emit("alert", undefined, alert);
    for (const lane of [...this.#subscribed.values()]) lane.push(alert);
    for (const handler of handlers) if (!this.#subscribed.has(handler)) this.#laneOf(handler).push(alert);
    for (const [handler, lane] of this.#ofRules) if (lane.idle) this.#ofRules.delete(handler);
  }

  close(): void {
    for (const lane of [...this.#subscribed.values(), ...this.#ofRules.values()]) lane.close();
    this.#subscribed.clear();
    this.#ofRules.clear();
  }

  #laneOf(handler: AlertHandler): Lane {
    const known = this.#ofRules.get(handler) ?? new Lane(handler, this.#runtime, {});
    this.#ofRules.set(handler, known);
    return known;
  }
}

function readLevelWords(levels: readonly AlertLevel[]): readonly AlertLevel[] {
  if (!Array.isArray(levels)) throw new OptionError("notify.levels", levels, `an array of ${LEVELS.join(", ")}`);
  return levels.map((level, index) => oneOf(`notify.levels[${index}]`, level, LEVELS));
}

function isThenable(value: unknown): value is PromiseLike<unknown> {
  return typeof value === "object" && value !== null && "then" in value && typeof value.then === "function";
}
