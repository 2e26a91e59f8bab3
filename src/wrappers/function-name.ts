import { hash } from "node:crypto";
import { OptionError, textOf } from "../core/index.ts";

type AnyFunction = (this: never, ...args: never) => unknown;

/** What tells the entries of one function from those of another. */
export interface FunctionIdentity {
  readonly name: string;
  /** One-way name of the source text; absent where the user's own name says it all. */
  readonly code: string | undefined;
}

const NATIVE = /\{\s*\[native code\]\s*\}\s*$/;
const ACCEPTED = "a name: this function has none of its own, or no source text to be known by";

/**
 * A name that the user gives is the whole identity, also across builds. A function's own name is joined by its source
 * text, because names repeat across modules, and because another text may give another answer.
 *
 * Throws {@link OptionError} for a function that has neither.
 */
export function identityOf(option: string, fn: AnyFunction, name: unknown): FunctionIdentity {
  if (name !== undefined) return { name: textOf(option, name), code: undefined };
  const source = Function.prototype.toString.call(fn);
  if (fn.name === "" || NATIVE.test(source)) throw new OptionError(option, undefined, ACCEPTED);
  return { name: textOf(option, fn.name), code: hash("sha256", source, "base64url") };
}

/** Gives `wrapper` the name and the number of parameters of `fn`, which frameworks and stack traces show. */
export function dressAs<T extends AnyFunction>(wrapper: T, fn: AnyFunction, name = fn.name): T {
  Object.defineProperty(wrapper, "name", { value: name, configurable: true });
  Object.defineProperty(wrapper, "length", { value: fn.length, configurable: true });
  return wrapper;
}
