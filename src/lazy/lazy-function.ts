import { type Lazy, type Loader, lazy } from "./lazy.ts";
import type { LazyOptions } from "./options.ts";

export type AnyFunction = (this: never, ...args: never) => unknown;

const PART = Symbol("breakwater.lazy.part");

/** A function whose implementation is loaded at its first call. */
export interface LazyFunction<F extends AnyFunction> {
  (this: ThisParameterType<F>, ...args: Parameters<F>): Promise<Awaited<ReturnType<F>>>;
  /** What loads the implementation; tells such a function from a loader. */
  readonly [PART]: Lazy<F>;
}

/** A function that loads its implementation when it is first called; `this` and arguments pass. Throws `OptionError`. */
export function lazyFunction<F extends AnyFunction>(loader: Loader<F>, options: LazyOptions = {}): LazyFunction<F> {
  const part = lazy(loader, options);
  async function call(this: unknown, ...args: unknown[]): Promise<unknown> {
    const implementation = (await part.get()) as unknown as (this: unknown, ...args: unknown[]) => unknown;
    return implementation.apply(this, args);
  }
  return Object.assign(call, { [PART]: part }) as unknown as LazyFunction<F>;
}

/** What loads the implementation of a lazy function; `undefined` for any other value. */
export function partOf(value: unknown): Lazy<AnyFunction> | undefined {
  return typeof value === "function" ? (value as Partial<LazyFunction<AnyFunction>>)[PART] : undefined;
}
