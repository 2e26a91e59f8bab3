/** Names of what a namespace keeps in Redis. */
export interface ClusterKeys {
  readonly live: string;
  readonly told: string;
  readonly channel: string;
  quota(key: string): string;
}

/**
 * All keys of one scope are kept by one node of a cluster: by a hash tag of the namespace's own, as in `{app}:`, then
 * all are; or by one for each scope, so that they are spread.
 */
export function clusterKeys(namespace: string): ClusterKeys {
  const tagged = /^[^{]*\{[^}]+\}/.test(namespace);
  const tag = (scope: string): string => (tagged ? scope : `{${scope}}`);
  return {
    live: `${namespace}${tag("cluster")}:live`,
    told: `${namespace}${tag("cluster")}:told`,
    channel: `${namespace}${tag("cluster")}:notices`,
    quota: (key) => `${namespace}${tag(`quota:${withoutBraces(key)}`)}`,
  };
}

// A brace of the user's own would end the hash tag.
function withoutBraces(key: string): string {
  return key.replace(/[{}%]/g, encodeURIComponent);
}
