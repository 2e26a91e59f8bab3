/**
 * Values, functions and objects that are loaded when they are wanted.
 *
 * @module
 */
export { type Lazy, type LazyState, type LoadContext, type Loader, lazy } from "./lazy.ts";
export { type LazyFunction, lazyFunction } from "./lazy-function.ts";
export { type LazyMembers, type LazyObject, lazyObject, partsOf } from "./lazy-object.ts";
export type { LazyOptions, LazyStrategy } from "./options.ts";
export { type Preloaded, type PreloadOptions, preloadAll } from "./preload-all.ts";
