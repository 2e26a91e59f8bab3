import { type FaultDetails, functionOf, OptionError, resolveScope, type Scope, tagList } from "../core/index.ts";
import type { Optimizer } from "../optimizer.ts";
import { dressAs, type FunctionIdentity, identityOf } from "./function-name.ts";
import { keyMaterial } from "./key-material.ts";

/** Tags of what is cached: a list, or what makes one of the arguments. */
export type CachedTags<This, Args extends unknown[]> =
  | readonly string[]
  | ((this: This, ...args: Args) => readonly string[]);

/** How calls of a function use the cache. What a scope says (`ttl`, `client`, `priority`, `cache` ...) can be said here. */
export interface CachedOptions<This, Args extends unknown[]> extends Omit<Scope, "tags"> {
  readonly optimizer: Pick<Optimizer, "call" | "explain">;
  /**
   * What the function's entries are found under: no other function of the optimizer, or of the tiers it shares, may
   * have the same. Default: the function's own name and its source text.
   */
  readonly name?: string | undefined;
  /** At most 32. Default: those of the scope that runs. */
  readonly tags?: CachedTags<This, Args> | undefined;
  /** What distinguishes one call from another. Default: all arguments, and nothing of `this`. */
  readonly key?: ((this: This, ...args: Args) => unknown) | undefined;
  /** Says what kind of failure an error is, as in the request of `optimizer.call`. */
  readonly judge?: ((error: unknown) => Partial<Omit<FaultDetails, "error">> | undefined) | undefined;
}

/** A decorator for methods that give a promise. */
export type AsyncMethodDecorator<This, Args extends unknown[]> = <
  M extends (this: This, ...args: Args) => Promise<unknown>,
>(
  method: M,
  context: ClassMethodDecoratorContext,
) => M;

// Has no canonical form, on purpose: the line then neither caches nor coalesces the call, and says so.
const NO_KEY = Symbol("arguments without a canonical form");

type Method = (this: unknown, ...args: unknown[]) => unknown;
type Options = CachedOptions<unknown, unknown[]>;

/**
 * A function of the same type that is answered from the cache when it is called with equal arguments. Each call that is
 * not goes through the line of `optimizer`, as an operation `function` with the function's name as its model.
 *
 * Arguments are equal when their contents are; `this` is no part of that. Arguments without a canonical form (functions,
 * class instances, cycles) are passed on uncached, and the event `cache.bypassed` says `not_canonical`. What JSON would
 * change is given back and not kept. An error that has already come through a line is not retried by this one.
 *
 * Throws `OptionError` for wrong options and for a function without a name. With options alone it is a decorator of
 * methods (TC39, not the older one of TypeScript); their entries are found under class, method and source text.
 */
export function cached<F extends (this: never, ...args: never) => Promise<unknown>>(
  fn: F,
  options: CachedOptions<ThisParameterType<F>, Parameters<F>>,
): F;
export function cached<This, Args extends unknown[], R>(
  fn: (this: This, ...args: Args) => R,
  options: CachedOptions<This, Args>,
): (this: This, ...args: Args) => Promise<Awaited<R>>;
export function cached<This = never, Args extends unknown[] = never>(
  options: CachedOptions<This, Args>,
): AsyncMethodDecorator<This, Args>;
export function cached(first: unknown, second?: unknown): unknown {
  if (typeof first === "function") return cachedFunction(first as Method, second as Options);
  const options = first as Options;
  // Now, and not when the class is first used.
  readOptions(options);
  return (method: Method, context: ClassMethodDecoratorContext) => cachedMethod(method, context, options);
}

function cachedFunction(fn: Method, options: Options): Method {
  const settings = readOptions(options);
  const identity = identityOf("cached.name", fn, options.name);
  const call = callerOf(fn, settings);
  return dressAs(function (this: unknown, ...args: unknown[]) {
    return call(this, args, identity);
  }, fn);
}

function cachedMethod(method: Method, context: ClassMethodDecoratorContext, options: Options): Method {
  if (context?.kind !== "method") throw new OptionError("cached", context?.kind, "a method to decorate");
  const call = callerOf(method, readOptions(options));
  const own = identityOf("cached.name", method, options.name);
  // The class is not known before there is a `this`.
  const identityIn = (self: unknown): FunctionIdentity =>
    options.name === undefined ? { ...own, name: `${classNameOf(self)}.${String(context.name)}` } : own;
  return dressAs(function (this: unknown, ...args: unknown[]) {
    return call(this, args, identityIn(this));
  }, method);
}

function classNameOf(self: unknown): string {
  if (typeof self === "function") return self.name;
  return (self as { constructor?: { name?: string } } | undefined)?.constructor?.name ?? "";
}

interface Settings {
  readonly optimizer: Options["optimizer"];
  readonly scope: Scope;
  readonly tagsOf: ((this: unknown, ...args: unknown[]) => readonly string[]) | undefined;
  readonly key: Options["key"];
  readonly judge: NonNullable<Options["judge"]>;
}

function readOptions(options: Options): Settings {
  if (typeof options?.optimizer?.call !== "function") {
    throw new OptionError("cached.optimizer", options?.optimizer, "an optimizer");
  }
  const { optimizer, name: _, tags, key, judge, ...rest } = options;
  if (key !== undefined) functionOf("cached.key", key);
  if (judge !== undefined) functionOf("cached.judge", judge);
  const scope =
    typeof tags === "function" || tags === undefined ? rest : { ...rest, tags: tagList("cached.tags", tags) };
  // Each call reads it again, within the scope that runs then; what is wrong in it is to be told now.
  resolveScope(scope);
  return {
    optimizer,
    scope,
    tagsOf: typeof tags === "function" ? tags : undefined,
    key,
    // What has come through a line has been retried there: exactly one party owns retries.
    judge: (error) => judge?.(error) ?? (cameThroughLine(optimizer, error) ? { retryable: false } : undefined),
  };
}

// A text may happen to be the id of a call.
function cameThroughLine(optimizer: Options["optimizer"], error: unknown): boolean {
  return typeof error === "object" && optimizer.explain(error) !== undefined;
}

type Caller = (self: unknown, args: unknown[], identity: FunctionIdentity) => Promise<unknown>;

function callerOf(fn: Method, { optimizer, scope, tagsOf, key, judge }: Settings): Caller {
  return async (self, args, { name, code }) => {
    const input = materialOf(key === undefined ? args : [key.apply(self, args)]);
    const own = tagsOf === undefined ? scope : { ...scope, tags: tagsOf.apply(self, args) };
    return optimizer.call({ model: name, input, operation: "function", code, judge }, () => fn.apply(self, args), own);
  };
}

function materialOf(values: unknown[]): unknown {
  try {
    return keyMaterial(values);
  } catch {
    return NO_KEY;
  }
}
