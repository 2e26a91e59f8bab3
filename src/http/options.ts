import { functionOf, integerIn, knownKeys, OptionError, oneOf, textOf } from "../core/index.ts";
import type { ProfileSource, RecommendationSource } from "../dashboard/index.ts";

/** What the handler reads of a call log: `callLog()` of `breakwater/call-log` gives one. */
export interface CallLogReader {
  /** Rows of one page. A wrong parameter of the request throws `OptionError`. */
  query(query: Readonly<Record<string, unknown>>): unknown;
}

/** Looks at something the application needs. Rejects, throws or gives `false` when that is not there. */
export type ReadinessCheck = (options: { readonly signal: AbortSignal }) => unknown;

export interface HandlerOptions {
  /** The path it is mounted under, where whoever mounts it does not take that off: `"/breakwater"`. Default `"/"`. */
  readonly basePath?: string | undefined;
  /**
   * Opens what changes state, and profiles; at least 16 characters. Default none: these are closed to everybody.
   */
  readonly token?: string | undefined;
  /** What the token is asked for: what changes state, or everything but the two health paths. Default `"changes"`. */
  readonly protect?: "changes" | "everything" | undefined;
  /**
   * Host names it answers to, beside `localhost` and addresses; a port is not part of them. `"*"` answers to all.
   * Default none.
   */
  readonly hosts?: readonly string[] | "*" | undefined;
  /** What `/api/v1/calls` shows. Default none. */
  readonly callLog?: CallLogReader | undefined;
  /** Recommendations that the dashboard shows. Default none. */
  readonly recommendations?: RecommendationSource | undefined;
  /** Profiles that the dashboard lists and `/api/v1/profile` gives. Default none. */
  readonly profiler?: ProfileSource | undefined;
  /** What the application needs to work, by name; run in the background every 10 s. Default none. */
  readonly checks?: Readonly<Record<string, ReadinessCheck>> | undefined;
  /** Serves the dashboard and its events. Default true. */
  readonly dashboard?: boolean | undefined;
  /** Dashboards that may watch at the same time. Default 16. */
  readonly maxStreams?: number | undefined;
}

export const HTTP_DEFAULTS = {
  basePath: "/",
  protect: "changes",
  dashboard: true,
  maxStreams: 16,
  host: "127.0.0.1",
  port: 9464,
} as const;

export interface HandlerSettings {
  /** Without a slash at its end: empty for the root. */
  readonly basePath: string;
  readonly token: string | undefined;
  readonly protectsEverything: boolean;
  readonly hosts: readonly string[] | "*";
  readonly callLog: CallLogReader | undefined;
  readonly recommendations: RecommendationSource | undefined;
  readonly profiler: ProfileSource | undefined;
  readonly checks: ReadonlyMap<string, ReadinessCheck>;
  readonly dashboard: boolean;
  readonly maxStreams: number;
}

export const HANDLER_KEYS = [
  "basePath",
  "token",
  "protect",
  "hosts",
  "callLog",
  "recommendations",
  "profiler",
  "checks",
  "dashboard",
  "maxStreams",
] as const;

const TOKEN = /^[!-~]{16,1000}$/;
const HOST_NAME = /^[a-z0-9._-]+$/i;

/** Reads the options of a handler. Throws {@link OptionError}. */
export function readHandlerOptions(options: HandlerOptions): HandlerSettings {
  knownKeys("http", options, HANDLER_KEYS);
  const { dashboard = HTTP_DEFAULTS.dashboard, protect = HTTP_DEFAULTS.protect } = options;
  if (typeof dashboard !== "boolean") throw new OptionError("http.dashboard", dashboard, "true or false");
  const token = readToken(options.token);
  const protectsEverything = oneOf("http.protect", protect, ["changes", "everything"]) === "everything";
  if (protectsEverything && token === undefined) {
    throw new OptionError("http.token", undefined, 'a token with protect: "everything"');
  }
  return {
    basePath: readBasePath(options.basePath ?? HTTP_DEFAULTS.basePath),
    token,
    protectsEverything,
    hosts: readHosts(options.hosts ?? []),
    callLog: readSource("callLog", options.callLog, ["query"], 'what callLog() of "breakwater/call-log" gives'),
    recommendations: readSource(
      "recommendations",
      options.recommendations,
      ["list"],
      'what watchRecommendations() of "breakwater/reports" gives',
    ),
    profiler: readSource(
      "profiler",
      options.profiler,
      ["profiles", "profile"],
      'what profiler() of "breakwater/profiler" gives',
    ),
    checks: readChecks(options.checks ?? {}),
    dashboard,
    maxStreams: integerIn("http.maxStreams", options.maxStreams ?? HTTP_DEFAULTS.maxStreams, 1, 1_000),
  };
}

function readBasePath(path: unknown): string {
  const text = textOf("http.basePath", path, 1_000);
  if (!/^\/[\w./~-]*$/.test(text)) throw new OptionError("http.basePath", path, 'a path such as "/" or "/breakwater"');
  return text.replace(/\/+$/, "");
}

function readToken(token: unknown): string | undefined {
  if (token === undefined) return undefined;
  // The value is a secret: not even a wrong one is repeated.
  if (typeof token !== "string" || !TOKEN.test(token)) {
    throw new OptionError("http.token", Object(token), "16 to 1000 characters of ASCII without spaces");
  }
  return token;
}

function readHosts(hosts: unknown): readonly string[] | "*" {
  if (hosts === "*") return hosts;
  const accepted = 'an array of host names without a port, such as ["app.example.com"], or "*"';
  if (!Array.isArray(hosts)) throw new OptionError("http.hosts", hosts, accepted);
  return hosts.map((host: unknown, index) => {
    if (typeof host !== "string" || !HOST_NAME.test(host))
      throw new OptionError(`http.hosts[${index}]`, host, accepted);
    return host.toLowerCase();
  });
}

function readSource<T extends object>(
  option: string,
  source: T | undefined,
  methods: readonly (keyof T)[],
  accepted: string,
): T | undefined {
  if (source === undefined) return undefined;
  const isSource =
    typeof source === "object" && source !== null && methods.every((name) => typeof source[name] === "function");
  if (!isSource) throw new OptionError(`http.${option}`, source, accepted);
  return source;
}

function readChecks(checks: Readonly<Record<string, ReadinessCheck>>): ReadonlyMap<string, ReadinessCheck> {
  const names = Object.keys(knownKeys("http.checks", checks, Object.keys(Object(checks))));
  return new Map(names.map((name) => [name, functionOf(`http.checks.${name}`, checks[name] as ReadinessCheck)]));
}
