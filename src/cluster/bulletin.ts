import type { Clock } from "../core/index.ts";

/** Something that holds for a time in all processes: a closed gate, an open circuit. */
export type NoticeKind = "gate" | "circuit";

export interface Notice {
  readonly kind: NoticeKind;
  readonly key: string;
  /** From now; 0: it no longer holds. */
  readonly forMs: number;
}

type Listener = (key: string, forMs: number) => void;

/** Most notices that are kept. */
const KEPT_MAX = 1_000;

/** What is told between processes, as this one knows it. Times are the clock's. */
export class Bulletin {
  readonly #clock: Clock;
  readonly #until: Record<NoticeKind, Map<string, number>> = { gate: new Map(), circuit: new Map() };
  readonly #listeners: Record<NoticeKind, Set<Listener>> = { gate: new Set(), circuit: new Set() };
  /** What could not be told yet. */
  readonly #untold = new Map<string, Notice & { readonly at: number }>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  on(kind: NoticeKind, listener: Listener): () => void {
    this.#listeners[kind].add(listener);
    const now = this.#clock.now();
    for (const [key, until] of this.#until[kind]) if (until > now) listener(key, until - now);
    return () => this.#listeners[kind].delete(listener);
  }

  /** Milliseconds for which it holds yet. */
  leftMs(kind: NoticeKind, key: string, now: number): number {
    const notices = this.#until[kind];
    return notices.size === 0 ? 0 : Math.max(0, (notices.get(key) ?? now) - now);
  }

  /** Takes note of what was found out here. */
  note(notice: Notice): void {
    const now = this.#clock.now();
    this.#keep(notice, now);
    this.#untold.set(fieldOf(notice), { ...notice, at: now });
    makeRoom(this.#untold);
  }

  /** Takes note of what others have found out, and tells it on if it is news. */
  heard({ kind, key, forMs }: Notice): void {
    const now = this.#clock.now();
    const knownMs = this.leftMs(kind, key, now);
    this.#keep({ kind, key, forMs }, now);
    // Told again by way of another message, it is a little different.
    if (forMs > 0 && forMs <= knownMs + SAME_MS) return;
    for (const listener of this.#listeners[kind]) listener(key, forMs);
  }

  /** Takes out what is still to be told. */
  *untold(): Generator<Notice> {
    const now = this.#clock.now();
    for (const [field, { kind, key, forMs, at }] of [...this.#untold]) {
      this.#untold.delete(field);
      const leftMs = forMs - (now - at);
      if (forMs === 0 || leftMs > 0) yield { kind, key, forMs: Math.max(0, leftMs) };
    }
  }

  /** Puts back what could not be told, unless there is something newer. */
  putBack(notice: Notice): void {
    const field = fieldOf(notice);
    if (!this.#untold.has(field)) this.#untold.set(field, { ...notice, at: this.#clock.now() });
  }

  #keep({ kind, key, forMs }: Notice, now: number): void {
    const notices = this.#until[kind];
    const until = forMs === 0 ? 0 : Math.max(notices.get(key) ?? 0, now + forMs);
    notices.delete(key);
    if (until === 0) return;
    for (const [other, ends] of notices) if (ends <= now) notices.delete(other);
    notices.set(key, until);
    makeRoom(notices);
  }
}

const SAME_MS = 10;

export function fieldOf({ kind, key }: Pick<Notice, "kind" | "key">): string {
  return `${kind} ${key}`;
}

/** Reads what another process has written; `undefined` for what makes no sense. */
export function noticeOf(field: unknown, forMs: unknown): Notice | undefined {
  if (typeof field !== "string" || typeof forMs !== "number" || !(forMs >= 0)) return undefined;
  const [kind, key] = [field.slice(0, field.indexOf(" ")), field.slice(field.indexOf(" ") + 1)];
  return kind === "gate" || kind === "circuit" ? { kind, key, forMs } : undefined;
}

function makeRoom(map: Map<string, unknown>): void {
  for (const key of map.keys()) {
    if (map.size <= KEPT_MAX) return;
    map.delete(key);
  }
}
