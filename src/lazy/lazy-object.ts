import { OptionError } from "../core/index.ts";
import { type Lazy, LazyValue, type Loader, lazy } from "./lazy.ts";
import { type AnyFunction, type LazyFunction, partOf } from "./lazy-function.ts";
import type { LazyOptions } from "./options.ts";

/** By name: a loader, a `lazy` value, or a method by `lazyFunction`. */
export type LazyMembers = Readonly<Record<string, Loader<unknown> | Lazy<unknown> | LazyFunction<AnyFunction>>>;

/** Each property is a promise of what its loader makes, each method gives one of what its implementation gives. */
export type LazyObject<M> = {
  readonly [Name in keyof M]: M[Name] extends LazyFunction<infer _>
    ? M[Name]
    : M[Name] extends Lazy<infer T>
      ? Promise<T>
      : M[Name] extends (...args: never) => infer T
        ? Promise<Awaited<T>>
        : never;
} & Disposable;

const parts = new WeakMap<object, Readonly<Record<string, Lazy<unknown>>>>();

/**
 * An object whose members are loaded at their first use. `options` go for the loaders; a `lazy` value or function has
 * its own. Disposing of the object disposes of what it made of loaders, and of nothing that was given to it.
 *
 * Members cannot be listed, so that printing, copying or serialising the object loads nothing; `partsOf` names them.
 *
 * Throws `OptionError`.
 */
export function lazyObject<M extends LazyMembers>(members: M, options: LazyOptions = {}): LazyObject<M> {
  const own: Lazy<unknown>[] = [];
  const all: Record<string, Lazy<unknown>> = {};
  const object = {};
  for (const [name, member] of Object.entries(members)) {
    const part = partOf(member) ?? givenOrMade(`lazyObject.${name}`, member, options, own);
    all[name] = part;
    Object.defineProperty(object, name, partOf(member) === undefined ? { get: () => part.get() } : { value: member });
  }
  Object.defineProperty(object, Symbol.dispose, {
    value: () => {
      for (const part of own) part[Symbol.dispose]();
    },
  });
  parts.set(object, all);
  return object as LazyObject<M>;
}

/** The lazy values behind the members of a `lazyObject`, by name. Throws `OptionError` for anything else. */
export function partsOf(object: object): Readonly<Record<string, Lazy<unknown>>> {
  const known = parts.get(object);
  if (known === undefined) throw new OptionError("partsOf", object, "an object that lazyObject() made");
  return known;
}

function givenOrMade(option: string, member: unknown, options: LazyOptions, own: Lazy<unknown>[]): Lazy<unknown> {
  if (member instanceof LazyValue) return member;
  if (typeof member !== "function") {
    throw new OptionError(option, member, "a loader, or what lazy() or lazyFunction() gives");
  }
  const made = lazy(member as Loader<unknown>, options);
  own.push(made);
  return made;
}
