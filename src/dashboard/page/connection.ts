import type { View, WindowMinutes } from "../view.ts";

export interface PageQuery {
  readonly window: WindowMinutes;
  readonly provider: string | undefined;
  readonly model: string | undefined;
}

export type LinkState =
  | { readonly kind: "connecting" | "live" | "reconnecting" | "paused" }
  /** The server takes no further stream, or something between refuses them. */
  | { readonly kind: "polling"; readonly why: string };

interface Callbacks {
  onView(view: View, kind: "snapshot" | "update"): void;
  onState(state: LinkState): void;
}

const POLL_EVERY_MS = 5_000;
/** Polls after which a stream is tried again. */
const POLLS_MAX = 6;
/** Updates come once a second: after so long without one the connection is dead, whatever the browser believes. */
const SILENCE_MS = 10_000;

/**
 * Keeps a page supplied: by server-sent events, by asking every five seconds where they are refused, and not at all while
 * nobody looks, since a browser has six connections to a server over HTTP/1.1.
 */
export class Connection {
  #callbacks: Callbacks;
  #query: PageQuery;
  #source: EventSource | undefined;
  #timer: number | undefined;
  #attempt = new AbortController();

  constructor(query: PageQuery, callbacks: Callbacks) {
    this.#query = query;
    this.#callbacks = callbacks;
    document.addEventListener("visibilitychange", () => this.#restart());
    // The browser keeps a page that is left for a while; its stream must not hold a connection.
    window.addEventListener("pagehide", () => this.#stop());
    window.addEventListener("pageshow", (event) => event.persisted && this.#restart());
    this.#restart();
  }

  show(query: PageQuery): void {
    this.#query = query;
    this.#restart();
  }

  #restart(): void {
    this.#stop();
    if (document.visibilityState === "hidden") {
      this.#callbacks.onState({ kind: "paused" });
      return;
    }
    this.#callbacks.onState({ kind: "connecting" });
    this.#listen();
  }

  #stop(): void {
    this.#source?.close();
    this.#source = undefined;
    clearTimeout(this.#timer);
    this.#attempt.abort();
    this.#attempt = new AbortController();
  }

  #listen(): void {
    const source = new EventSource(`events?${this.#params()}`);
    this.#source = source;
    const take = (event: MessageEvent<string>, kind: "snapshot" | "update"): void => {
      this.#callbacks.onState({ kind: "live" });
      this.#callbacks.onView(JSON.parse(event.data) as View, kind);
      this.#watchSilence();
    };
    source.addEventListener("snapshot", (event) => take(event, "snapshot"));
    source.addEventListener("update", (event) => take(event, "update"));
    source.addEventListener("error", () => {
      clearTimeout(this.#timer);
      if (source.readyState !== EventSource.CLOSED) this.#callbacks.onState({ kind: "reconnecting" });
      else void this.#refused();
    });
  }

  #watchSilence(): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      this.#callbacks.onState({ kind: "reconnecting" });
      this.#source?.close();
      this.#listen();
    }, SILENCE_MS);
  }

  /** An EventSource does not tell why it was refused; the same request by hand does. */
  async #refused(): Promise<void> {
    const { signal } = this.#attempt;
    let why = "The live stream is refused.";
    try {
      const response = await fetch(`events?${this.#params()}`, { signal });
      if (response.ok) {
        await response.body?.cancel();
      } else {
        const { error } = (await response.json()) as { error?: { message?: string } };
        why = error?.message ?? why;
      }
    } catch {
      // The reply is none of ours, or there is none: polling finds out.
    }
    if (!signal.aborted) void this.#poll(why, 1);
  }

  async #poll(why: string, round: number): Promise<void> {
    const { signal } = this.#attempt;
    let isThere = false;
    try {
      const response = await fetch(`api/v1/snapshot?${this.#params()}`, { signal });
      if (response.ok) {
        this.#callbacks.onView((await response.json()) as View, "snapshot");
        isThere = true;
      }
    } catch {
      // Said by the state below.
    }
    if (signal.aborted) return;
    this.#callbacks.onState(isThere ? { kind: "polling", why } : { kind: "reconnecting" });
    // Chained, so that slow replies do not pile up.
    this.#timer = setTimeout(() => {
      if (round < POLLS_MAX && isThere) void this.#poll(why, round + 1);
      else this.#listen();
    }, POLL_EVERY_MS);
  }

  #params(): string {
    const params = new URLSearchParams({ window: String(this.#query.window) });
    if (this.#query.provider !== undefined) params.set("provider", this.#query.provider);
    if (this.#query.model !== undefined) params.set("model", this.#query.model);
    return params.toString();
  }
}
