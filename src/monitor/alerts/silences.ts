import { type Clock, type Duration, durationMs, knownKeys, OptionError, textOf } from "../../core/index.ts";
import { has, type LabelFilter } from "../reading.ts";
import type { Tracked } from "./table.ts";

const SILENCES_MAX = 100;

/** What not to send for a while. Alerts go on as ever and are in `list()`; what still fires afterwards is sent then. */
export interface SilenceOptions {
  /** A rule's id, or a family. Default: every rule. */
  readonly rule?: string;
  /** Only alerts that have these labels. Default: all. */
  readonly labels?: LabelFilter;
  /** How long. */
  readonly for: Duration;
  /** Shown in the list. */
  readonly comment?: string;
}

export interface Silence {
  readonly id: string;
  readonly rule: string | undefined;
  readonly labels: LabelFilter;
  /** Milliseconds since the Unix epoch. */
  readonly until: number;
  readonly comment: string | undefined;
}

interface Entry extends Silence {
  readonly endsAt: number;
}

/** The silences that are in force. */
export class Silences {
  #entries = new Map<string, Entry>();
  #clock: Clock;
  #next = 1;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Adds one and gives its id. Throws {@link OptionError}. */
  add(options: SilenceOptions): string {
    knownKeys("silence", options, ["rule", "labels", "for", "comment"]);
    const { rule, labels = {}, comment } = options;
    const ms = durationMs("silence.for", options.for, { min: 1 });
    knownKeys("silence.labels", labels, Object.keys(labels));
    for (const [key, value] of Object.entries(labels)) {
      for (const one of [value].flat()) textOf(`silence.labels.${key}`, one);
    }
    this.#expire();
    if (this.#entries.size >= SILENCES_MAX) throw new OptionError("silence", rule, `at most ${SILENCES_MAX} silences`);
    const id = `silence-${this.#next++}`;
    this.#entries.set(id, {
      id,
      rule: rule === undefined ? undefined : textOf("silence.rule", rule),
      labels: { ...labels },
      until: this.#clock.wall() + ms,
      endsAt: this.#clock.now() + ms,
      comment: comment === undefined ? undefined : textOf("silence.comment", comment, 1_000),
    });
    return id;
  }

  remove(id: string): boolean {
    this.#expire();
    return this.#entries.delete(id);
  }

  list(): Silence[] {
    this.#expire();
    return [...this.#entries.values()].map(({ endsAt: _endsAt, ...silence }) => silence);
  }

  /** The id of the silence that covers an alert. */
  covering({ rule, labels }: Tracked, now: number): string | undefined {
    for (const entry of this.#entries.values()) {
      if (now >= entry.endsAt) continue;
      const meant = entry.rule === undefined || entry.rule === rule.id || entry.rule === rule.family;
      if (meant && has(labels, entry.labels)) return entry.id;
    }
    return undefined;
  }

  #expire(): void {
    const now = this.#clock.now();
    for (const [id, { endsAt }] of this.#entries) if (now >= endsAt) this.#entries.delete(id);
  }
}
