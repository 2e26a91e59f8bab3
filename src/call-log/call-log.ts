import { StoreError, type Timer } from "../core/index.ts";
import type { Optimizer } from "../optimizer.ts";
import { batchesOf, csvOf, jsonLinesOf } from "./export.ts";
import { LogFile } from "./file.ts";
import { type CallLogOptions, readCallLogOptions } from "./options.ts";
import {
  type CallFilter,
  type CallPage,
  type CallQuery,
  type Condition,
  countSql,
  pageOf,
  pageSql,
  readFilter,
  readQuery,
} from "./query.ts";
import { recordRows } from "./recorder.ts";
import { type CallRow, rowOf } from "./row.ts";
import { RowWriter } from "./writer.ts";

export interface CallLogStats {
  /** Rows written by this process. */
  readonly written: number;
  /** Rows that wait to be written. */
  readonly queued: number;
  /** Rows that were lost. */
  readonly dropped: number;
}

/**
 * One row for every call that ends, in a file. What reads it sees everything that was recorded before, and rejects with
 * `StoreError` when the file cannot be read or the log is closed.
 */
export interface CallLog extends AsyncDisposable {
  /** One page. Throws `OptionError`. */
  query(query?: CallQuery): Promise<CallPage>;
  /** Every row, oldest first. Throws `OptionError`. */
  rows(filter?: CallFilter): AsyncIterable<CallRow>;
  /** Every row as CSV (RFC 4180), in pieces of text: for `Readable.from`. Throws `OptionError`. */
  csv(filter?: CallFilter): AsyncIterable<string>;
  /** Every row as one line of JSON, in pieces of text. Throws `OptionError`. */
  jsonLines(filter?: CallFilter): AsyncIterable<string>;
  /** Resolves when every row that waits has been written, or could not be. Never rejects. */
  flush(): Promise<void>;
  stats(): CallLogStats;
  /** Stops listening, writes what waits, and lets go of the file. Never rejects. */
  close(): Promise<void>;
}

const SWEEP_EVERY_MS = 60_000;
const SWEEP_PAUSE_MS = 100;

/**
 * Begins to log the calls of `optimizer`, in a file that outlives the process and may be shared by several. The file is
 * opened with the first row, in a thread of its own. Nothing that happens to it harms a call. Throws `OptionError`.
 */
export function callLog(optimizer: Pick<Optimizer, "on" | "line" | "monitor">, options: CallLogOptions): CallLog {
  const settings = readCallLogOptions(options);
  const { runtime } = optimizer.line;
  const { clock, events } = runtime;
  const file = new LogFile(settings, clock, (quarantined) => {
    events.emit("calllog.rebuilt", undefined, { quarantined });
  });
  const writer = new RowWriter(file, runtime, settings);
  const stopRecording = recordRows(optimizer, settings, (row) => writer.add(row));
  let closing: Promise<void> | undefined;
  let sweeper: Timer | undefined;

  // Rows that are written take out old ones; this is for times when there are none.
  const sweepAfter = (ms: number): void => {
    sweeper = clock.background(ms, async () => {
      const more = writer.written > 0 && (await file.sweep().catch(() => false));
      if (closing === undefined) sweepAfter(more ? SWEEP_PAUSE_MS : SWEEP_EVERY_MS);
    });
  };
  sweepAfter(SWEEP_EVERY_MS);

  const read: LogFile["read"] = async (sql, parameters) => {
    if (closing !== undefined) throw new StoreError("The call log is closed.");
    try {
      return await file.read(sql, parameters);
    } catch (error) {
      throw error instanceof StoreError ? error : new StoreError("The call log cannot be read.", error);
    }
  };
  async function* batches(condition: Condition): AsyncGenerator<readonly CallRow[]> {
    await writer.flush();
    yield* batchesOf(read, condition);
  }
  const close = (): Promise<void> => {
    closing ??= (async () => {
      stopRecording();
      sweeper?.cancel();
      await writer.close();
      await file.close();
    })();
    return closing;
  };

  return {
    async query(query = {}) {
      const request = readQuery(query);
      await writer.flush();
      const page = pageSql(request);
      const count = countSql(request.condition);
      const [rows, [counted]] = await Promise.all([read(page.sql, page.values), read(count.sql, count.values)]);
      return pageOf(request, rows.map(rowOf), Number(counted?.["total"] ?? 0));
    },
    rows: (filter = {}) => eachOf(batches(readFilter(filter))),
    csv: (filter = {}) => csvOf(batches(readFilter(filter))),
    jsonLines: (filter = {}) => jsonLinesOf(batches(readFilter(filter))),
    flush: () => writer.flush(),
    stats: () => ({ written: writer.written, queued: writer.queued, dropped: writer.dropped }),
    close,
    [Symbol.asyncDispose]: close,
  };
}

async function* eachOf(batches: AsyncIterable<readonly CallRow[]>): AsyncGenerator<CallRow> {
  for await (const rows of batches) yield* rows;
}
