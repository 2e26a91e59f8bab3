import { knownKeys, OptionError, oneOf, tagList } from "../core/index.ts";
import type { Optimizer } from "../optimizer.ts";
import type { AsyncMethodDecorator } from "./cached.ts";
import { dressAs } from "./function-name.ts";

/** What a function's tags can be made of. */
export interface EndedCall<Args extends unknown[]> {
  readonly args: Args;
  /** What it gave; absent when it failed. */
  readonly result: unknown;
}

export interface InvalidatesOptions<This, Args extends unknown[]> {
  readonly optimizer: { readonly cache: Pick<Optimizer["cache"], "invalidateTags"> };
  /** At most 32, or what makes them when the function has ended. */
  readonly tags: readonly string[] | ((this: This, ended: EndedCall<Args>) => readonly string[]);
  /**
   * After which ending: `"resolved"`, or `"settled"`, also after a failure, for functions that may have had their
   * effect all the same. Default `"resolved"`.
   */
  readonly after?: "resolved" | "settled" | undefined;
}

type Method = (this: unknown, ...args: unknown[]) => unknown;
type Options = InvalidatesOptions<unknown, unknown[]>;

/**
 * A function of the same type, after which everything in the cache that carries one of `tags` is stale. It gives its
 * result when the invalidation is done; see `invalidateTags`.
 *
 * Throws `OptionError` for wrong options; tags that a function makes are checked when they are made, and the promise
 * rejects with it then. With options alone it is a decorator of methods (TC39).
 */
export function invalidates<F extends (this: never, ...args: never) => Promise<unknown>>(
  fn: F,
  options: InvalidatesOptions<ThisParameterType<F>, Parameters<F>>,
): F;
export function invalidates<This, Args extends unknown[], R>(
  fn: (this: This, ...args: Args) => R,
  options: InvalidatesOptions<This, Args>,
): (this: This, ...args: Args) => Promise<Awaited<R>>;
export function invalidates<This = never, Args extends unknown[] = never>(
  options: InvalidatesOptions<This, Args>,
): AsyncMethodDecorator<This, Args>;
export function invalidates(first: unknown, second?: unknown): unknown {
  if (typeof first === "function") return invalidating(first as Method, readOptions(second as Options));
  const options = readOptions(first as Options);
  return (method: Method, context: ClassMethodDecoratorContext) => {
    if (context?.kind !== "method") throw new OptionError("invalidates", context?.kind, "a method to decorate");
    return invalidating(method, options);
  };
}

function invalidating(fn: Method, { optimizer, tags, after }: Options): Method {
  const invalidate = async (self: unknown, ended: EndedCall<unknown[]>): Promise<void> =>
    optimizer.cache.invalidateTags(typeof tags === "function" ? tags.call(self, ended) : tags);
  return dressAs(async function (this: unknown, ...args: unknown[]) {
    let result: unknown;
    try {
      result = await fn.apply(this, args);
    } catch (error) {
      // Whatever becomes of the invalidation, the function's own error is what its caller must see.
      if (after === "settled") await invalidate(this, { args, result: undefined }).catch(() => {});
      throw error;
    }
    await invalidate(this, { args, result });
    return result;
  }, fn);
}

function readOptions(options: Options): Options {
  knownKeys("invalidates", options, ["optimizer", "tags", "after"]);
  const { optimizer, tags, after = "resolved" } = options;
  if (typeof optimizer?.cache?.invalidateTags !== "function") {
    throw new OptionError("invalidates.optimizer", optimizer, "an optimizer");
  }
  return {
    optimizer,
    tags: typeof tags === "function" ? tags : tagList("invalidates.tags", tags),
    after: oneOf("invalidates.after", after, ["resolved", "settled"]),
  };
}
