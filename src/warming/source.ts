import { OptionError } from "../core/index.ts";

export type WarmItems<T> = Iterable<T> | AsyncIterable<T>;

/** What is to be warmed: the items, or what gives them anew for each pass. */
export type WarmSource<T> = WarmItems<T> | (() => WarmItems<T> | Promise<WarmItems<T>>);

/** The items of one pass, taken one at a time by any number of takers. */
export interface OpenSource<T> {
  /** Where the source tells how many they are, by `length` or `size`. */
  readonly total: number | undefined;
  take(): Promise<IteratorResult<T>>;
  /** Lets go of the rest. */
  close(): void;
}

/** Throws `OptionError` for what cannot be iterated, or not as often as is asked. */
export function checkSource(option: string, source: unknown, repeated: boolean): void {
  if (typeof source === "function") return;
  const iterable = isItems(source);
  if (!iterable) throw new OptionError(option, source, "an iterable, an async iterable, or a function that gives one");
  if (repeated && "next" in source) {
    throw new OptionError(option, source, "with `interval` a function that gives an iterable: an iterator ends once");
  }
}

/** Opens the source for one pass. Rejects with what the user's function or iterable throws. */
export async function openSource<T>(option: string, source: WarmSource<T>): Promise<OpenSource<T>> {
  const items = typeof source === "function" ? await source() : source;
  if (!isItems(items)) throw new OptionError(option, items, "an iterable or an async iterable");
  const iterator = iteratorOf(items);
  let last: Promise<unknown> = Promise.resolve();
  return {
    total: sizeOf(items),
    take() {
      // An async iterator need not bear being asked again before it has answered.
      const taken = last.then(() => iterator.next());
      last = taken.catch(() => {});
      return taken;
    },
    close() {
      void closed(iterator);
    },
  };
}

function iteratorOf<T>(items: WarmItems<T>): Iterator<T> | AsyncIterator<T> {
  return Symbol.asyncIterator in items ? items[Symbol.asyncIterator]() : items[Symbol.iterator]();
}

function isItems(value: unknown): value is WarmItems<never> {
  if (typeof value !== "object" || value === null) return false;
  return Symbol.iterator in value || Symbol.asyncIterator in value;
}

function sizeOf(items: object): number | undefined {
  const { length, size } = items as { readonly length?: unknown; readonly size?: unknown };
  const total = length ?? size;
  return typeof total === "number" ? total : undefined;
}

// What an iterator throws when nobody wants it any more concerns nobody.
async function closed(iterator: Iterator<unknown> | AsyncIterator<unknown>): Promise<void> {
  try {
    await iterator.return?.();
  } catch {}
}
