import { AsyncLocalStorage } from "node:async_hooks";
import { DEFAULT_SCOPE, type ResolvedScope, resolveScope, type Scope } from "../core/index.ts";

const storage = new AsyncLocalStorage<ResolvedScope>();

// A symbol survives the spreads between an SDK's request options and `fetch`, and cannot reach the wire.
const SCOPE = Symbol("breakwater.scope");

/** The scope of the code that runs now; the default one outside `runInScope`. */
export function currentScope(): ResolvedScope {
  return storage.getStore() ?? DEFAULT_SCOPE;
}

/**
 * Runs `fn` so that every call made inside it, at any depth and after any `await`, has `scope`.
 * Scopes nest: what the inner one leaves out comes from the outer one. Throws `OptionError`.
 */
export function runInScope<T>(scope: Scope, fn: () => T): T {
  return storage.run(resolveScope(scope, currentScope()), fn);
}

/**
 * Request options for one call of an SDK: `client.chat.completions.create(body, scoped({ priority: "high" }))`.
 * The scope travels in `fetchOptions`, is read by the optimized client and never sent. What it leaves out comes
 * from the scope of the code that runs now. Throws `OptionError`.
 */
export function scoped<T extends object = Record<never, never>>(
  scope: Scope,
  requestOptions?: T,
): T & { fetchOptions: Record<never, never> } {
  const own = { [SCOPE]: resolveScope(scope, currentScope()) };
  const given = requestOptions as (T & { fetchOptions?: object }) | undefined;
  return { ...(given as T), fetchOptions: { ...given?.fetchOptions, ...own } };
}

/** The scope that `scoped` put into what is now `fetch`'s second argument, or else the current one. */
export function scopeOf(init: object | undefined): ResolvedScope {
  const own = init as { readonly [SCOPE]?: ResolvedScope } | undefined;
  return own?.[SCOPE] ?? currentScope();
}
