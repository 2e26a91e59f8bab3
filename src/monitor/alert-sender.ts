import { type Clock, type EventBus, errorName, type Timer } from "../core/index.ts";
import type { Alert, AlertHandler } from "./alert-rule.ts";

/** How long the promise of a handler may take before it counts as failed. */
const HANDLER_LIMIT_MS = 5_000;

/** Sends alerts: as an event, and to the handlers of their rule. Whatever a handler does harms nobody. */
export class AlertSender {
  #clock: Clock;
  #events: EventBus;
  #timers = new Set<Timer>();

  constructor({ clock, events }: { readonly clock: Clock; readonly events: EventBus }) {
    this.#clock = clock;
    this.#events = events;
  }

  send(alert: Alert, handlers: readonly AlertHandler[]): void {
    this.#events.emit("alert", undefined, alert);
    for (const handler of handlers) this.#call(handler, alert);
  }

  /** Stops watching handlers that are still at work. */
  close(): void {
    for (const timer of this.#timers) timer.cancel();
    this.#timers.clear();
  }

  #call(handler: AlertHandler, alert: Alert): void {
    try {
      const result = handler(alert);
      if (isThenable(result)) this.#watch(result, alert.rule);
    } catch (error) {
      this.#failed(alert.rule, error);
    }
  }

  #watch(promise: PromiseLike<unknown>, rule: string): void {
    const timer = this.#clock.background(HANDLER_LIMIT_MS, () => {
      this.#timers.delete(timer);
      this.#failed(rule, new DOMException(`The handler did not end within ${HANDLER_LIMIT_MS} ms.`, "TimeoutError"));
    });
    this.#timers.add(timer);
    const done = (): boolean => {
      timer.cancel();
      return this.#timers.delete(timer);
    };
    promise.then(done, (error: unknown) => {
      // Too late or after the end: it has been told, or nobody wants to know.
      if (done()) this.#failed(rule, error);
    });
  }

  #failed(rule: string, error: unknown): void {
    // Not the message: it may repeat the address of a webhook.
    this.#events.emit("alert.handler_failed", undefined, { rule, error: errorName(error) });
  }
}

function isThenable(value: unknown): value is PromiseLike<unknown> {
  return typeof value === "object" && value !== null && "then" in value && typeof value.then === "function";
}
