import {
  type Bytes,
  byteCount,
  type EventType,
  functionOf,
  integerIn,
  knownKeys,
  OptionError,
  oneOf,
  SEVERITIES,
  type Severity,
  textOf,
} from "../../core/index.ts";
import type { Optimizer } from "../../optimizer.ts";
import { BoundedLog } from "./bounded-log.ts";
import { LEVELS, recordOf } from "./line.ts";
import { type LineDestination, type Logger, loggerSink, type Sink, streamSink } from "./sinks.ts";

export interface JsonLinesOptions {
  /** Where lines go. Default `process.stdout`. */
  readonly destination?: LineDestination;
  /** Pino, or what has its methods, in place of a destination: level, time and name are then its own. */
  readonly logger?: Logger;
  /** The least severity that is written; of `"debug"` all but `call.fingerprinted`. Default `"info"`. */
  readonly level?: Severity;
  /** Exactly these types, whatever their severity, in place of a level. */
  readonly events?: readonly EventType[];
  /** Lines of one type within a second; how many there were beyond is written once a second. Default 100. */
  readonly perSecond?: number;
  /** Bytes that may wait in the destination; with more there, lines are dropped and counted. Default `"1mb"`. */
  readonly maxBuffered?: Bytes;
  /** The field `name` of each line. Default `"breakwater"`. */
  readonly name?: string;
}

export const JSON_LINES_DEFAULTS = { level: "info", perSecond: 100, maxBuffered: "1mb", name: "breakwater" } as const;

export interface JsonLinesStats {
  readonly written: number;
  /** Beyond `perSecond`. */
  readonly suppressed: number;
  /** That the destination or the logger did not take. */
  readonly dropped: number;
}

/** A log of events. */
export interface JsonLines {
  stats(): JsonLinesStats;
  /** Writes what is still to be told, and stops listening. The destination stays open. */
  close(): void;
}

const OPTION_KEYS = ["destination", "logger", "level", "events", "perSecond", "maxBuffered", "name"] as const;
const EXPORTER = "json-lines";
// Made only for who asks for it by name.
const COSTLY: EventType = "call.fingerprinted";

/** Writes one line of JSON for each event that matters. Throws `OptionError`. */
export function jsonLines(optimizer: Pick<Optimizer, "on" | "line">, options: JsonLinesOptions = {}): JsonLines {
  const { types, perSecond, openSink } = readOptions(options);
  const { clock, events } = optimizer.line.runtime;
  let telling = false;

  const sink = openSink((error) => log.failed(error));
  const log = new BoundedLog({
    clock,
    sink,
    perSecond,
    onLoss: (error, consecutive) => {
      telling = true;
      events.emit("exporter.failed", undefined, { exporter: EXPORTER, error, consecutive });
      telling = false;
    },
  });
  const stops = types.map((type) =>
    optimizer.on(type, (event) => {
      // What this log has lost cannot be told by this log.
      if (telling && event.type === "exporter.failed") return;
      if (log.admits(type)) log.write(recordOf(event));
    }),
  );

  return {
    stats: () => ({ written: log.written, suppressed: log.suppressed, dropped: log.dropped }),
    close() {
      for (const stop of stops) stop();
      log.close();
      sink.close();
    },
  };
}

type OpenSink = (onError: (error: string) => void) => Sink;

function readOptions(options: JsonLinesOptions): { types: EventType[]; perSecond: number; openSink: OpenSink } {
  knownKeys("jsonLines", options, OPTION_KEYS);
  return {
    types: typesOf(options),
    perSecond: integerIn("jsonLines.perSecond", options.perSecond ?? JSON_LINES_DEFAULTS.perSecond, 1),
    openSink: sinkOf(options),
  };
}

// Only what will be written is listened to: other events need not be built.
function typesOf({ level, events }: JsonLinesOptions): EventType[] {
  const known = Object.keys(SEVERITIES) as EventType[];
  if (events !== undefined) {
    if (level !== undefined) throw new OptionError("jsonLines.level", level, "nothing where `events` is given");
    if (!Array.isArray(events)) throw new OptionError("jsonLines.events", events, "an array of event types");
    return [...new Set(events.map((type) => oneOf("jsonLines.events", type, known)))];
  }
  const severities = Object.keys(LEVELS) as Severity[];
  const least = LEVELS[oneOf("jsonLines.level", level ?? JSON_LINES_DEFAULTS.level, severities)];
  return known.filter((type) => LEVELS[SEVERITIES[type]] >= least && type !== COSTLY);
}

function sinkOf(options: JsonLinesOptions): OpenSink {
  const { logger, destination } = options;
  const name = textOf("jsonLines.name", options.name ?? JSON_LINES_DEFAULTS.name);
  const maxBuffered = byteCount("jsonLines.maxBuffered", options.maxBuffered ?? JSON_LINES_DEFAULTS.maxBuffered, {
    min: 1_024,
  });
  if (logger === undefined) {
    const stream = destination ?? process.stdout;
    functionOf("jsonLines.destination", stream.write, "a writable stream");
    return (onError) => streamSink(stream, { name, maxBuffered, onError });
  }
  if (destination !== undefined) {
    throw new OptionError("jsonLines.destination", "given", "nothing where `logger` is given: it has its own");
  }
  for (const method of ["debug", "info", "warn", "error"] as const) {
    functionOf("jsonLines.logger", logger[method], "a logger with the methods debug, info, warn and error");
  }
  return () => loggerSink(logger);
}
