import { type Duration, durationMs, knownKeys, OptionError } from "../../core/index.ts";
import { checkLabelKey } from "../metric.ts";
import type { Labels } from "../series.ts";
import { composeMessage, type Told, toldOf } from "./message.ts";
import type { Alert, AlertHandler } from "./rule.ts";
import type { AlertTable, Tracked } from "./table.ts";

/** How alerts share messages. */
export interface GroupingOptions {
  /** Labels that keep alerts of one rule family apart. Default `["provider"]`. */
  readonly by?: readonly string[];
  /** How long the first message of a group waits for others that are about to fire. Default `"10s"`. */
  readonly wait?: Duration;
  /** How long what joins a group later waits after its last message. Default `"5m"`. */
  readonly interval?: Duration;
  /** After this time a group that still fires is told again. Default `"4h"`. */
  readonly repeat?: Duration;
}

export const GROUPING_DEFAULTS = { by: ["provider"], wait: "10s", interval: "5m", repeat: "4h" } as const;

export interface Grouping {
  readonly by: readonly string[];
  readonly waitMs: number;
  readonly intervalMs: number;
  readonly repeatMs: number;
}

/** Throws `OptionError`. */
export function readGrouping(options: GroupingOptions = {}): Grouping {
  knownKeys("monitor.grouping", options, ["by", "wait", "interval", "repeat"]);
  const { by, wait, interval, repeat } = { ...GROUPING_DEFAULTS, ...options };
  if (!Array.isArray(by)) throw new OptionError("monitor.grouping.by", by, "an array of label keys");
  for (const key of by) checkLabelKey("monitor.grouping.by", key, undefined);
  return {
    by: [...by],
    waitMs: durationMs("monitor.grouping.wait", wait),
    intervalMs: durationMs("monitor.grouping.interval", interval),
    repeatMs: durationMs("monitor.grouping.repeat", repeat, { min: 1 }),
  };
}

export interface Message {
  readonly alert: Alert;
  /** Those of the rules that it tells of. */
  readonly handlers: readonly AlertHandler[];
}

/** What is told together, from its first message to the one that says that it is over. */
interface Group {
  readonly id: string;
  /** Alerts that were told and still last. */
  readonly told: Map<Tracked, AlertTable>;
  /** Alerts that were told and are over, by rule and labels. */
  readonly over: Map<string, Told>;
  readonly handlers: Set<AlertHandler>;
  /** The highest rank that was told. */
  rank: number;
  messages: number;
  sentAt: number;
  /** Until when the first message may wait for others. */
  waitUntil: number | undefined;
}

/** An alert that may be told now. */
export interface Candidate {
  readonly alert: Tracked;
  readonly table: AlertTable;
}

/** Where the alerts stand that no message has told of. */
export interface Standing {
  readonly ready: readonly Candidate[];
  readonly pending: readonly Tracked[];
  isSilenced(alert: Tracked): boolean;
}

interface Found {
  readonly ready: Candidate[];
  /** When alerts of the group that are pending will fire, if they go on so. */
  readonly soon: number[];
}

/** Alerts of the same group are told in one message, and their end in another. */
export class Groups {
  #groups = new Map<string, Group>();
  #grouping: Grouping;

  constructor(grouping: Grouping) {
    this.#grouping = grouping;
  }

  /** Notes that an alert is over. */
  ended(alert: Tracked): void {
    const group = this.#groups.get(this.#idOf(alert));
    if (group?.told.delete(alert)) group.over.set(nameOf(alert), toldOf(alert));
  }

  /**
   * The messages that are due: of alerts that are ready to be told, and of groups that are over or to be repeated.
   * `isSilenced` tells which alerts need no repeating.
   */
  due({ ready, pending, isSilenced }: Standing, now: number): Message[] {
    const found = this.#sorted(ready, pending);
    for (const id of found.keys()) if (!this.#groups.has(id)) this.#groups.set(id, newGroup(id));
    const messages: Message[] = [];
    for (const group of [...this.#groups.values()]) {
      const message = this.#next(group, found.get(group.id), isSilenced, now);
      if (message !== undefined) messages.push(message);
    }
    return messages;
  }

  #next(group: Group, found: Found | undefined, isSilenced: Standing["isSilenced"], now: number): Message | undefined {
    if (found !== undefined && this.#isTime(group, found, now)) return this.#fire(group, found.ready, now);
    if (group.told.size > 0) {
      const isDue = now - group.sentAt >= this.#grouping.repeatMs;
      return isDue && [...group.told.keys()].some((alert) => !isSilenced(alert))
        ? this.#fire(group, [], now)
        : undefined;
    }
    if (found !== undefined && group.over.size === 0) return undefined;
    this.#groups.delete(group.id);
    const [first, ...rest] = group.over.values();
    if (first === undefined) return undefined;
    const alert = composeMessage("resolved", [first, ...rest], { group: group.id, repeat: group.messages });
    return { alert, handlers: [...group.handlers] };
  }

  #isTime(group: Group, { ready, soon }: Found, now: number): boolean {
    const { waitMs, intervalMs } = this.#grouping;
    if (group.messages === 0) {
      const waitUntil = group.waitUntil ?? now + waitMs;
      group.waitUntil = waitUntil;
      return now >= waitUntil || !soon.some((firesAt) => firesAt <= waitUntil);
    }
    if (ready.some(({ alert }) => alert.state.rank > group.rank)) return true;
    // Nothing tells beforehand of facts that wait for nothing: the others follow the first one soon.
    const atOnce = ready.some(({ alert: { rule } }) => rule.kind === "event" || rule.forMs === 0);
    return now - group.sentAt >= (atOnce && group.messages === 1 ? waitMs : intervalMs);
  }

  #fire(group: Group, ready: readonly Candidate[], now: number): Message | undefined {
    for (const { alert, table } of ready) {
      group.told.set(alert, table);
      group.over.delete(nameOf(alert));
      group.rank = Math.max(group.rank, alert.state.rank);
      for (const handler of alert.rule.handlers) group.handlers.add(handler);
    }
    for (const [alert, table] of group.told) table.noteSent(alert);
    const [first, ...rest] = [...group.told.keys()].map(toldOf);
    if (first === undefined) return undefined;
    group.sentAt = now;
    const alert = composeMessage("firing", [first, ...rest], { group: group.id, repeat: group.messages++ });
    return { alert, handlers: [...group.handlers] };
  }

  #sorted(ready: readonly Candidate[], pending: readonly Tracked[]): Map<string, Found> {
    const found = new Map<string, Found>();
    for (const candidate of ready) {
      const id = this.#idOf(candidate.alert);
      const group = found.get(id);
      if (group === undefined) found.set(id, { ready: [candidate], soon: [] });
      else group.ready.push(candidate);
    }
    for (const alert of pending) {
      const group = found.get(this.#idOf(alert));
      if (group?.ready.some((candidate) => candidate.alert.rule === alert.rule)) group.soon.push(firesAt(alert));
    }
    return found;
  }

  #idOf({ rule, labels }: Tracked): string {
    return groupId(rule.family, labels, this.#grouping.by);
  }
}

function groupId(family: string, labels: Labels, by: readonly string[]): string {
  const parts = by.flatMap((key) => (labels[key] === undefined ? [] : [`${key}=${labels[key]}`]));
  return parts.length === 0 ? family : `${family} {${parts.join(",")}}`;
}

function nameOf({ rule, key }: Tracked): string {
  return `${rule.id} ${key}`;
}

function firesAt({ rule, state }: Tracked): number {
  const since = state.heldSince[rule.rank - 1];
  return since === undefined || rule.kind === "event" ? Number.POSITIVE_INFINITY : since + rule.forMs;
}

function newGroup(id: string): Group {
  return {
    id,
    told: new Map(),
    over: new Map(),
    handlers: new Set(),
    rank: 0,
    messages: 0,
    sentAt: Number.NEGATIVE_INFINITY,
    waitUntil: undefined,
  };
}
