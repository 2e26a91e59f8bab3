import { errorName } from "../../core/index.ts";
import { type LogRecord, lineOf } from "./line.ts";

/** Where lines go: a writable stream of Node.js, or what writes like one. */
export interface LineDestination {
  write(line: string): unknown;
  /** Bytes that wait to be written. Absent: it never has any. */
  readonly writableLength?: number;
  /** `false` once it takes no more. */
  readonly writable?: boolean;
  on?(event: "error", listener: (error: Error) => void): unknown;
  off?(event: "error", listener: (error: Error) => void): unknown;
}

/** Pino, or what has its methods. */
export interface Logger {
  debug(fields: object, message: string): void;
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}

/** Takes records. Never throws. */
export interface Sink {
  /** Gives what kept it from taking this one; `undefined` when it was taken. */
  write(record: LogRecord): string | undefined;
  close(): void;
}

const METHODS = { debug: "debug", info: "info", warning: "warn", error: "error" } as const;

export function loggerSink(logger: Logger): Sink {
  return {
    write: ({ severity, message, fields }) => trying(() => logger[METHODS[severity]](fields, message)),
    close: () => {},
  };
}

/** `onError` hears of what goes wrong after a line was taken. */
export function streamSink(
  destination: LineDestination,
  options: { name: string; maxBuffered: number; onError: (error: string) => void },
): Sink {
  const onError = (error: Error): void => options.onError(codeOf(error));
  // A stream whose error nobody hears ends the process: a log is not worth that.
  destination.on?.("error", onError);
  return {
    write(record) {
      if (destination.writable === false) return "StreamClosed";
      const line = lineOf(options.name, record);
      // The stream keeps what its reader has not taken yet, without a bound of its own.
      if ((destination.writableLength ?? 0) + line.length > options.maxBuffered) return "BufferFull";
      return trying(() => destination.write(line));
    },
    close: () => {
      destination.off?.("error", onError);
    },
  };
}

function trying(write: () => unknown): string | undefined {
  try {
    write();
    return undefined;
  } catch (error) {
    return codeOf(error);
  }
}

function codeOf(error: unknown): string {
  const code: unknown = typeof error === "object" && error !== null && "code" in error ? error.code : undefined;
  return typeof code === "string" ? code : errorName(error);
}
