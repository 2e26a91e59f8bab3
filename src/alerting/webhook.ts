import {
  type Clock,
  type Duration,
  durationMs,
  functionOf,
  integerIn,
  knownKeys,
  OptionError,
  systemClock,
} from "../core/index.ts";
import type { Alert, AlertHandler } from "../monitor/index.ts";

export interface WebhookOptions {
  /** `http:` or `https:`. */
  readonly url: string | URL;
  /** Sent with each request, beside `content-type: application/json`. Default none. */
  readonly headers?: Readonly<Record<string, string>>;
  /** For all tries of one message together. Default `"5s"`. */
  readonly timeout?: Duration;
  /** Tries after the first, for failures that may pass: no connection, 408, 425, 429, 5xx. Default 2. */
  readonly retries?: number;
  /** Default the global `fetch`. */
  readonly fetch?: typeof globalThis.fetch;
  /** Time. Default real time. */
  readonly clock?: Clock;
}

/** A webhook that did not take a message. Neither the address nor the answer is in it: both may hold secrets. */
export class WebhookError extends Error {
  override readonly name = "WebhookError";
  readonly status: number;

  constructor(status: number) {
    super(`The webhook answered with status ${status}.`);
    this.status = status;
  }
}

const KEYS = ["url", "headers", "timeout", "retries", "fetch", "clock"] as const;
const FIRST_PAUSE_MS = 250;
const RETRIES_MAX = 5;

/** Posts each message as JSON: the payload of the event `alert`. Throws {@link OptionError}. */
export function webhook(options: WebhookOptions): AlertHandler {
  const post = poster("webhook", options);
  return async function webhook(alert, context) {
    await post(messageOf(alert), context?.signal);
  };
}

// The event's envelope says nothing here, and its payload is all there is to say.
function messageOf({ rule, state, level, metric, labels, value, threshold, since, ...rest }: Alert): unknown {
  const { message, group, repeat, count, alerts, runbook } = rest;
  return {
    state,
    level,
    rule,
    message,
    metric,
    labels,
    value,
    threshold,
    since,
    group,
    repeat,
    count,
    alerts,
    runbook,
  };
}

type Post = (body: unknown, signal: AbortSignal | undefined) => Promise<void>;

/** Reads the options of `room` and gives what posts JSON to there. */
export function poster(room: string, options: WebhookOptions): Post {
  knownKeys(room, options, KEYS);
  const url = readUrl(`${room}.url`, options.url);
  const headers = { ...readHeaders(`${room}.headers`, options.headers ?? {}), "content-type": "application/json" };
  const timeoutMs = durationMs(`${room}.timeout`, options.timeout ?? "5s", { min: 1, max: 600_000 });
  const retries = integerIn(`${room}.retries`, options.retries ?? 2, 0, RETRIES_MAX);
  const { clock = systemClock } = options;
  if (options.fetch !== undefined) functionOf(`${room}.fetch`, options.fetch);

  const tryOnce = async (body: string, signal: AbortSignal): Promise<void> => {
    const send = options.fetch ?? globalThis.fetch;
    const response = await send(url, { method: "POST", headers, body, signal, redirect: "error" });
    await response.body?.cancel();
    if (!response.ok) throw new WebhookError(response.status);
  };

  return async (value, outer) => {
    const body = JSON.stringify(value);
    const limit = new AbortController();
    const timer = clock.background(timeoutMs, () => limit.abort(new DOMException("Too slow.", "TimeoutError")));
    const signal = outer === undefined ? limit.signal : AbortSignal.any([outer, limit.signal]);
    try {
      for (let tries = 0; ; tries++) {
        try {
          return await tryOnce(body, signal);
        } catch (error) {
          if (tries >= retries || signal.aborted || !mayPass(error)) throw error;
        }
        await pause(clock, FIRST_PAUSE_MS * 4 ** tries, signal);
      }
    } finally {
      timer.cancel();
    }
  };
}

function mayPass(error: unknown): boolean {
  if (!(error instanceof WebhookError)) return true;
  return [408, 425, 429].includes(error.status) || error.status >= 500;
}

function pause(clock: Clock, ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const timer = clock.background(ms, () => {
      signal.removeEventListener("abort", stop);
      resolve();
    });
    const stop = (): void => {
      timer.cancel();
      reject(signal.reason);
    };
    signal.addEventListener("abort", stop, { once: true });
  });
}

function readUrl(option: string, value: string | URL): URL {
  // The address itself is not shown: that of a webhook is a secret.
  const accepted = "an http: or https: address";
  const url = URL.parse(String(value));
  if (url !== null && /^https?:$/.test(url.protocol)) return url;
  throw new OptionError(option, typeof value, accepted);
}

function readHeaders(option: string, headers: Readonly<Record<string, string>>): Record<string, string> {
  knownKeys(option, headers, Object.keys(headers));
  try {
    return Object.fromEntries(new Headers(headers));
  } catch {
    throw new OptionError(option, Object.keys(headers), "names and values that HTTP allows");
  }
}
