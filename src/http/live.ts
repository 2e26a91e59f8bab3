import type { Clock, Timer } from "../core/index.ts";
import type { Dashboard, View, ViewQuery } from "../dashboard/index.ts";
import { problem, reply } from "./replies.ts";

const UPDATE_EVERY_MS = 1_000;
const HEARTBEAT_EVERY = 15;
const RECONNECT_MS = 2_000;
/** What may lie unsent for a client that does not read. */
const UNSENT_BYTES_MAX = 1_048_576;
/** Steps of a chart that an update repeats: the running one, and those that may have changed since the last update. */
const REPEATED_STEPS = 3;

interface Client {
  readonly query: ViewQuery;
  readonly controller: ReadableStreamDefaultController<Uint8Array>;
}

/**
 * Server-sent events for dashboards: a whole view first, then once a second what changes of it. Nothing runs while
 * nobody watches, and clients that watch the same share the work.
 */
export class LiveViews {
  #dashboard: Dashboard;
  #clock: Clock;
  #max: number;
  #clients = new Set<Client>();
  #timer: Timer | undefined;
  #tick = 0;
  #closed = false;
  #encoder = new TextEncoder();

  constructor(dashboard: Dashboard, clock: Clock, max: number) {
    this.#dashboard = dashboard;
    this.#clock = clock;
    this.#max = max;
  }

  open(query: ViewQuery): Response {
    if (this.#closed) return problem(503, "CLOSED", "This is closed; there are no more events.");
    if (this.#clients.size >= this.#max) {
      return problem(503, "TOO_MANY_STREAMS", `${this.#max} dashboards are open already; close one of them.`, {
        "retry-after": "30",
      });
    }
    const first = `retry: ${RECONNECT_MS}\n${this.#event("snapshot", this.#dashboard.view(query))}`;
    let client: Client;
    const body = new ReadableStream<Uint8Array>(
      {
        start: (controller) => {
          client = { query, controller };
          this.#clients.add(client);
          this.#send(client, first);
          this.#timer ??= this.#clock.background(UPDATE_EVERY_MS, () => this.#update());
        },
        cancel: () => this.#drop(client),
      },
      { highWaterMark: UNSENT_BYTES_MAX, size: (chunk) => chunk?.byteLength ?? 0 },
    );
    return reply(200, body, {
      "content-type": "text/event-stream; charset=utf-8",
      "cache-control": "no-cache, no-store, no-transform",
      "x-accel-buffering": "no",
    });
  }

  close(): void {
    this.#closed = true;
    this.#timer?.cancel();
    this.#timer = undefined;
    for (const { controller } of this.#clients) controller.close();
    this.#clients.clear();
  }

  #update(): void {
    this.#timer = undefined;
    this.#tick++;
    const heartbeat = this.#tick % HEARTBEAT_EVERY === 0 ? ":\n\n" : "";
    const events = new Map<string, string | undefined>();
    for (const client of this.#clients) {
      const key = JSON.stringify(client.query);
      if (!events.has(key)) events.set(key, this.#updateFor(client.query));
      const event = events.get(key);
      if (event === undefined) this.#giveUp(client, "What changes could not be made.");
      else this.#send(client, heartbeat + event);
    }
    if (this.#clients.size > 0) this.#timer = this.#clock.background(UPDATE_EVERY_MS, () => this.#update());
  }

  /** `undefined` where a source of the view throws. */
  #updateFor(query: ViewQuery): string | undefined {
    try {
      return this.#event("update", withoutHistory(this.#dashboard.view(query)));
    } catch {
      return undefined;
    }
  }

  #event(type: string, view: View): string {
    return `id: ${view.at}\nevent: ${type}\ndata: ${JSON.stringify(view)}\n\n`;
  }

  #send(client: Client, text: string): void {
    client.controller.enqueue(this.#encoder.encode(text));
    if ((client.controller.desiredSize ?? 0) <= 0) this.#giveUp(client, "The client does not read what it is sent.");
  }

  #giveUp(client: Client, reason: string): void {
    client.controller.error(new Error(reason));
    this.#drop(client);
  }

  #drop(client: Client): void {
    this.#clients.delete(client);
    if (this.#clients.size > 0) return;
    this.#timer?.cancel();
    this.#timer = undefined;
  }
}

/** The view with the last steps of its charts only. */
function withoutHistory(view: View): View {
  const charts = Object.entries(view.charts).map(([name, { series, n }]) => [
    name,
    { n, series: series.map(({ label, points }) => ({ label, points: points.slice(-REPEATED_STEPS) })) },
  ]);
  return { ...view, charts: Object.fromEntries(charts) as View["charts"] };
}
