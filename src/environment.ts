import { OptionError } from "./core/index.ts";

type Read = (variable: string, text: string) => unknown;

const number: Read = (variable, text) => {
  const value = Number(text);
  if (text.trim() === "" || !Number.isFinite(value)) throw new OptionError(variable, text, "a number");
  return value;
};
const text: Read = (_variable, value) => value;
// Checked by the option it sets; a bare number means milliseconds.
const duration: Read = (_variable, value) => (/^\d+(\.\d+)?$/.test(value) ? Number(value) : value);
const onOff: Read = (variable, value) => {
  const word = value.toLowerCase();
  if (["on", "true", "1"].includes(word)) return true;
  if (["off", "false", "0"].includes(word)) return false;
  throw new OptionError(variable, value, '"on" or "off"');
};

/** Every variable, the option it sets and how it is read. A whole section (`cache`) takes "on" or "off". */
export const ENVIRONMENT: Readonly<Record<string, { readonly path: readonly [string, string?]; readonly read: Read }>> =
  {
    BREAKWATER_PROFILE: { path: ["profile"], read: text },
    BREAKWATER_CACHE: { path: ["cache"], read: onOff },
    BREAKWATER_CACHE_TTL: { path: ["cache", "ttl"], read: duration },
    BREAKWATER_COALESCE: { path: ["coalesce"], read: onOff },
    BREAKWATER_POOL: { path: ["pool"], read: onOff },
    BREAKWATER_POOL_CONCURRENCY: { path: ["pool", "concurrency"], read: number },
    BREAKWATER_POOL_MAX_QUEUE: { path: ["pool", "maxQueue"], read: number },
    BREAKWATER_RATE_LIMIT: { path: ["rateLimit"], read: onOff },
    BREAKWATER_REQUESTS_PER_MINUTE: { path: ["rateLimit", "requestsPerMinute"], read: number },
    BREAKWATER_TOKENS_PER_MINUTE: { path: ["rateLimit", "tokensPerMinute"], read: number },
    BREAKWATER_REQUESTS_PER_DAY: { path: ["rateLimit", "requestsPerDay"], read: number },
    BREAKWATER_TOKENS_PER_DAY: { path: ["rateLimit", "tokensPerDay"], read: number },
    BREAKWATER_THROTTLE: { path: ["throttle"], read: onOff },
    BREAKWATER_BREAKER: { path: ["breaker"], read: onOff },
    BREAKWATER_BREAKER_FAILURE_RATE: { path: ["breaker", "failureRate"], read: number },
    BREAKWATER_BREAKER_HALF_OPEN_AFTER: { path: ["breaker", "halfOpenAfter"], read: duration },
    BREAKWATER_RETRY: { path: ["retry"], read: onOff },
    BREAKWATER_RETRY_ATTEMPTS: { path: ["retry", "attempts"], read: number },
    BREAKWATER_TIMEOUT: { path: ["timeout"], read: onOff },
    BREAKWATER_TIMEOUT_TOTAL: { path: ["timeout", "total"], read: duration },
    BREAKWATER_TIMEOUT_ATTEMPT: { path: ["timeout", "attempt"], read: duration },
    BREAKWATER_TIMEOUT_FIRST_TOKEN: { path: ["timeout", "firstToken"], read: duration },
    BREAKWATER_TIMEOUT_IDLE: { path: ["timeout", "idle"], read: duration },
  };

/** What the environment sets: switches of whole sections, and single values within them. */
export interface EnvironmentOptions {
  readonly profile: unknown;
  readonly switches: Readonly<Record<string, boolean>>;
  readonly values: Readonly<Record<string, Readonly<Record<string, unknown>>>>;
}

/**
 * Reads the `BREAKWATER_*` variables of the table above; others are left alone, since an orchestrator may set
 * some of that prefix for a service of the same name. Throws `OptionError` naming the variable.
 */
export function readEnvironment(environment: Readonly<Record<string, string | undefined>>): EnvironmentOptions {
  let profile: unknown;
  const switches: Record<string, boolean> = {};
  const values: Record<string, Record<string, unknown>> = {};
  for (const [variable, { path, read }] of Object.entries(ENVIRONMENT)) {
    const raw = environment[variable];
    if (raw === undefined || raw === "") continue;
    const value = read(variable, raw);
    const [section, key] = path;
    if (key !== undefined) values[section] = { ...values[section], [key]: value };
    else if (section === "profile") profile = value;
    else switches[section] = value as boolean;
  }
  return { profile, switches, values };
}
