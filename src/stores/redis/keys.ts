/** Names of what a namespace keeps in Redis. */
export interface RedisKeys {
  readonly marks: string;
  readonly state: string;
  readonly sweeps: string;
  readonly channel: string;
  entry(key: string): string;
  lease(key: string): string;
  /** Whether an entry and the marks are kept by the same node of a cluster, so that one command reads both. */
  readonly oneSlot: boolean;
}

/**
 * The marks share one slot of a cluster, for scripts that change them together: by a hash tag of the prefix's own, as in
 * `{app}:`, or by one around the prefix. Entries are spread, unless the prefix has a hash tag.
 */
export function redisKeys(keyPrefix: string, cluster: boolean): RedisKeys {
  const tagged = /^[^{]*\{[^}]/.test(keyPrefix) && keyPrefix.includes("}", keyPrefix.indexOf("{"));
  const marks = tagged ? keyPrefix : `{${keyPrefix}}`;
  return {
    marks: `${marks}marks`,
    state: `${marks}state`,
    sweeps: `${marks}sweeps`,
    channel: `${marks}changes`,
    entry: (key) => `${keyPrefix}entry:${key}`,
    lease: (key) => `${keyPrefix}lease:${key}`,
    oneSlot: tagged || !cluster,
  };
}
