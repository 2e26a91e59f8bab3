/** How far a pass is. */
export interface WarmProgress {
  /** 1 for the first. */
  readonly pass: number;
  /** Items that have ended: `hits + filled + skipped + failed`. */
  readonly done: number;
  /** Where the source tells how many there are. */
  readonly total: number | undefined;
  /** Items whose every answer was in the cache already. */
  readonly hits: number;
  /** Items that were asked for and are now in the cache. */
  readonly filled: number;
  /** Items that went well and left nothing in the cache: answers that may not be kept, or no calls at all. */
  readonly skipped: number;
  readonly failed: number;
  /** Input and output tokens that the provider was paid for. */
  readonly costTokens: number;
  readonly elapsedMs: number;
  /** At the present pace; absent before the first item has ended, and without `total`. */
  readonly etaMs: number | undefined;
}

/** Counts of one pass or of all. */
export interface Tally {
  hits: number;
  filled: number;
  skipped: number;
  failed: number;
  costTokens: number;
}

export function newTally(): Tally {
  return { hits: 0, filled: 0, skipped: 0, failed: 0, costTokens: 0 };
}

function doneOf({ hits, filled, skipped, failed }: Tally): number {
  return hits + filled + skipped + failed;
}

export function progressOf(pass: number, tally: Tally, total: number | undefined, elapsedMs: number): WarmProgress {
  const done = doneOf(tally);
  const etaMs = total === undefined || done === 0 ? undefined : (elapsedMs / done) * Math.max(0, total - done);
  return { pass, done, total, ...tally, elapsedMs, etaMs };
}

/** One line that tells the progress: `12/40, 3 hits, 8 filled, 0 skipped, 1 failed, 5310 tokens, 21 s left`. */
export function progressText({ done, total, hits, filled, skipped, failed, costTokens, etaMs }: WarmProgress): string {
  const left = etaMs === undefined ? "" : `, ${Math.ceil(etaMs / 1000)} s left`;
  const of = total === undefined ? "" : `/${total}`;
  return `${done}${of}, ${hits} hits, ${filled} filled, ${skipped} skipped, ${failed} failed, ${costTokens} tokens${left}`;
}

interface Terminal {
  readonly isTTY?: boolean | undefined;
  write(text: string): unknown;
}

const LINE_START = "\r\u001b[K";

/** For `onProgress`: keeps one line of a terminal up to date, and writes nothing where there is no terminal. */
export function progressLine(stream: Terminal = process.stderr): (progress: WarmProgress) => void {
  if (stream.isTTY !== true) return () => {};
  return (progress) => {
    const over = progress.total === progress.done ? "\n" : "";
    stream.write(`${LINE_START}${progressText(progress)}${over}`);
  };
}
