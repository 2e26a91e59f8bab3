import { BreakwaterError, functionOf } from "../core/index.ts";
import { type LazyOptions, type LazySettings, readOptions } from "./options.ts";

export interface LoadContext {
  /** Aborted when the value is cleared or disposed of, or when a `reload` takes the place of this load. */
  readonly signal: AbortSignal;
}

/** Makes the value. What it throws, or rejects with, is the failure of the load. */
export type Loader<T> = (context: LoadContext) => T | Promise<T>;

/** `loaded`: a value is held, though a refresh may be under way. `failed`: none is, and the last load failed. */
export type LazyState = "idle" | "loading" | "loaded" | "failed";

/** A value that is loaded when it is wanted. */
export interface Lazy<T> extends Disposable {
  /** The value, loaded first where the strategy says so. All who wait share one load. */
  get(): Promise<T>;
  /** The value that is held; `undefined` when none is. Loads nothing. */
  readonly value: T | undefined;
  readonly state: LazyState;
  /** What the last load failed with; `undefined` once one has succeeded. */
  readonly error: unknown;
  /** 0 (first) to 9 (last). */
  readonly priority: number;
  /**
   * Loads again now and resolves to the new value. Until then, and if it fails, the old one stays. A load under way is
   * aborted, and those who wait for it get the value of the new one.
   */
  reload(): Promise<T>;
  /** Forgets the value, and aborts a load under way: who waits for it is rejected with an `AbortError`. */
  clear(): void;
  /** Clears for good: every later `get` rejects. */
  [Symbol.dispose](): void;
}

/**
 * A value that `loader` makes when it is wanted: an encoder, a price table, a client, a prompt template. Sets no timer,
 * so it keeps no process alive.
 *
 * There is never more than one load that counts, and one that was aborted does not: its result comes too late for
 * everybody. Failures are not kept; the next `get` tries again, after `backoff`.
 *
 * Throws `OptionError`.
 */
export function lazy<T>(loader: Loader<T>, options: LazyOptions = {}): Lazy<T> {
  const value = new LazyValue(functionOf("lazy.loader", loader), readOptions(options));
  if (options.strategy === "preload") value.preload();
  return value;
}

interface Held<T> {
  readonly value: T;
  readonly at: number;
}

/** One load, and all who wait for it. */
interface Load<T> {
  readonly controller: AbortController;
  readonly waiting: PromiseWithResolvers<T>;
}

export class LazyValue<T> implements Lazy<T> {
  readonly #loader: Loader<T>;
  readonly #settings: LazySettings;
  #held: Held<T> | undefined;
  #failure: { readonly error: unknown; readonly at: number } | undefined;
  #load: Load<T> | undefined;
  #disposed = false;

  constructor(loader: Loader<T>, settings: LazySettings) {
    this.#loader = loader;
    this.#settings = settings;
  }

  get priority(): number {
    return this.#settings.priority;
  }

  get value(): T | undefined {
    return this.#age() < this.#longest() ? this.#held?.value : undefined;
  }

  get error(): unknown {
    return this.#failure?.error;
  }

  get state(): LazyState {
    if (this.#age() < this.#longest()) return "loaded";
    if (this.#load !== undefined) return "loading";
    return this.#failure === undefined ? "idle" : "failed";
  }

  get(): Promise<T> {
    if (this.#disposed) return Promise.reject(disposed());
    const age = this.#age();
    if (this.#held === undefined || age >= this.#longest()) {
      this.#held = undefined;
      return this.#loaded();
    }
    const { value } = this.#held;
    if (age >= this.#settings.ttlMs) this.preload();
    return Promise.resolve(value);
  }

  /** Begins to load, unless that is under way or has just failed. Nobody waits for it. */
  preload(): void {
    this.#loaded().catch(() => {});
  }

  reload(): Promise<T> {
    if (this.#disposed) return Promise.reject(disposed());
    const superseded = this.#load;
    const promise = this.#start(superseded?.waiting);
    superseded?.controller.abort(new DOMException("A reload took the place of this load.", "AbortError"));
    return promise;
  }

  clear(): void {
    const load = this.#load;
    this.#load = undefined;
    this.#held = undefined;
    this.#failure = undefined;
    if (load === undefined) return;
    const reason = new DOMException("The value was cleared while it was loading.", "AbortError");
    load.waiting.reject(reason);
    load.controller.abort(reason);
  }

  [Symbol.dispose](): void {
    this.#disposed = true;
    this.clear();
  }

  #age(): number {
    return this.#held === undefined ? Number.POSITIVE_INFINITY : this.#settings.clock.now() - this.#held.at;
  }

  #longest(): number {
    return this.#settings.ttlMs + this.#settings.graceMs;
  }

  #loaded(): Promise<T> {
    if (this.#load !== undefined) return this.#load.waiting.promise;
    const { clock, backoffMs } = this.#settings;
    const failure = this.#failure;
    if (failure !== undefined && clock.now() - failure.at < backoffMs) return Promise.reject(failure.error);
    return this.#start();
  }

  #start(waiting: PromiseWithResolvers<T> = Promise.withResolvers<T>()): Promise<T> {
    const load = { controller: new AbortController(), waiting };
    // A refresh that nobody waits for may fail all the same.
    waiting.promise.catch(() => {});
    this.#load = load;
    void this.#run(load);
    return waiting.promise;
  }

  async #run(load: Load<T>): Promise<void> {
    const { clock, strategy, within } = this.#settings;
    try {
      const value = await within(() => this.#loader({ signal: load.controller.signal }));
      if (this.#load !== load) return;
      this.#load = undefined;
      this.#failure = undefined;
      if (strategy !== "on-demand") this.#held = { value, at: clock.now() };
      load.waiting.resolve(value);
    } catch (error) {
      if (this.#load !== load) return;
      this.#load = undefined;
      this.#failure = { error, at: clock.now() };
      load.waiting.reject(error);
    }
  }
}

function disposed(): BreakwaterError {
  return new BreakwaterError("CLOSED", "This lazy value is disposed of; make a new one to load it.");
}
