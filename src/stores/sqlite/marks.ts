import type { Marks, MarksChange, Runtime, StoreMarks, Sweep, Timer } from "../../core/index.ts";
import type { SqliteFile } from "./file.ts";
import type { Position } from "./marks-table.ts";

// What another process invalidates is told within this time.
const LOOK_EVERY_MS = 200;

type Use = <T>(work: (file: SqliteFile) => T) => Promise<T>;
type Listener = (change: MarksChange) => void;

/** The marks of a file. Those who write to it tell nobody: a watcher looks, five times a second, at one row. */
export class SqliteMarks implements StoreMarks {
  readonly #use: Use;
  readonly #file: () => SqliteFile | undefined;
  readonly #read: StoreMarks["read"];
  readonly #runtime: Runtime;
  readonly #listeners = new Set<{ readonly tell: Listener }>();
  #timer: Timer | undefined;
  #position: Position | undefined;
  #looked = false;

  /** `file` is the one in use, if any: looking for changes opens none. */
  constructor(use: Use, file: () => SqliteFile | undefined, read: StoreMarks["read"], runtime: Runtime) {
    this.#use = use;
    this.#file = file;
    this.#read = read;
    this.#runtime = runtime;
  }

  read(key: string, tags: readonly string[]): ReturnType<StoreMarks["read"]> {
    return this.#read(key, tags);
  }

  marks(tags: readonly string[]): Promise<Marks> {
    return this.#use((file) => file.marks.marks(tags));
  }

  invalidate(tags: readonly string[]): Promise<void> {
    return this.#change((file) => file.invalidate(tags));
  }

  sweep(pattern: string): Promise<void> {
    return this.#change((file) => file.sweep(pattern));
  }

  clear(): Promise<void> {
    return this.#change((file) => file.clear());
  }

  sweepsSince(after: number): Promise<{ readonly sweeps: readonly Sweep[]; readonly complete: boolean }> {
    return this.#use((file) => file.marks.sweepsSince(after));
  }

  watch(tell: Listener): { readonly connected: () => boolean; readonly stop: () => void } {
    const listener = { tell };
    this.#listeners.add(listener);
    if (this.#timer === undefined) this.#start();
    return {
      connected: () => this.#looked,
      stop: () => {
        this.#listeners.delete(listener);
        if (this.#listeners.size === 0) this.#stop();
      },
    };
  }

  close(): void {
    this.#listeners.clear();
    this.#stop();
  }

  #start(): void {
    this.#timer = this.#runtime.clock.background(LOOK_EVERY_MS, () => this.#look());
    // What was invalidated before the file was open concerns nobody: nothing had been read from it. It is opened when
    // whoever watches has had the time to listen to events, too.
    const opened = Promise.resolve().then(() => this.#use((file) => file.marks.position()));
    opened.then(
      (position) => {
        if (this.#timer === undefined) return;
        this.#position ??= position;
        this.#looked = true;
      },
      () => {},
    );
  }

  #stop(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    this.#looked = false;
    this.#position = undefined;
  }

  #look(): void {
    this.#timer = this.#runtime.clock.background(LOOK_EVERY_MS, () => this.#look());
    const file = this.#file();
    this.#looked = file !== undefined && this.#lookInto(file);
  }

  #lookInto(file: SqliteFile): boolean {
    try {
      if (this.#position === undefined) this.#position = file.marks.position();
      const { changes, position } = file.marks.changesSince(this.#position);
      this.#position = position;
      for (const change of changes) for (const { tell } of this.#listeners) tell(change);
      return true;
    } catch {
      // Locked or damaged: whoever needs the file next sees to that, and until then nobody is told.
      return false;
    }
  }

  /** Nobody is told of what this store changes itself, as long as nothing else has come between. */
  async #change(work: (file: SqliteFile) => Position): Promise<void> {
    const { seq, sweep } = await this.#use(work);
    if (this.#position?.seq === seq - 1) this.#position = { seq, sweep };
  }
}
