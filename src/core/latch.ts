/**
 * A value that arrives once. Unlike a promise its listeners run at once, in order, inside `open`,
 * so a permit is free the moment a call ends and not some microtasks later.
 */
export class Latch<T> {
  #value: T | undefined;
  #open = false;
  #listeners: ((value: T) => void)[] | undefined;

  /** A latch that is open from the start. */
  static of<T>(value: T): Latch<T> {
    const latch = new Latch<T>();
    latch.#value = value;
    latch.#open = true;
    return latch;
  }

  get isOpen(): boolean {
    return this.#open;
  }

  /** The value, or `undefined` while it has not arrived. */
  get value(): T | undefined {
    return this.#value;
  }

  /** Opens the latch. Only the first call counts; it answers `true`. Listeners must not throw. */
  open(value: T): boolean {
    if (this.#open) return false;
    this.#open = true;
    this.#value = value;
    const listeners = this.#listeners;
    this.#listeners = undefined;
    if (listeners !== undefined) for (const listener of listeners) listener(value);
    return true;
  }

  /** Runs `listener` when the value arrives, or now if it is already here. */
  subscribe(listener: (value: T) => void): void {
    if (this.#open) listener(this.#value as T);
    else if (this.#listeners === undefined) this.#listeners = [listener];
    else this.#listeners.push(listener);
  }

  /** The same, as a promise. It never rejects. */
  promise(): Promise<T> {
    return new Promise((resolve) => this.subscribe(resolve));
  }
}
