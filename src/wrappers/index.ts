export { type AsyncMethodDecorator, type CachedOptions, type CachedTags, cached } from "./cached.ts";
export { type EndedCall, type InvalidatesOptions, invalidates } from "./invalidates.ts";
