/** What cannot change the answer. Everything else is in the key, fields that are not known included. */
export const OUTSIDE_THE_KEY: ReadonlySet<string> = new Set([
  "stream",
  "stream_options",
  "user",
  "safety_identifier",
  "metadata",
  "store",
  "prompt_cache_key",
  "prompt_cache_retention",
  "prompt_cache_options",
  "service_tier",
]);
