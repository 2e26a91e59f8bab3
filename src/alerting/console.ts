import { functionOf, knownKeys } from "../core/index.ts";
import type { AlertHandler } from "../monitor/index.ts";

export interface ConsoleHandlerOptions {
  /** Takes one line. Default `console.error` for what fires and `console.log` for what is over. */
  readonly write?: (line: string) => void;
}

/** Writes each message as one line. Throws `OptionError`. */
export function consoleHandler(options: ConsoleHandlerOptions = {}): AlertHandler {
  knownKeys("consoleHandler", options, ["write"]);
  const { write } = options;
  if (write !== undefined) functionOf("consoleHandler.write", write);
  return function consoleHandler({ state, level, group, message }) {
    const line = oneLine(`alert ${state} ${level} ${group}: ${message}`);
    if (write !== undefined) write(line);
    else if (state === "firing") console.error(line);
    else console.log(line);
  };
}

// A label could hold a line break and so forge a line of its own.
function oneLine(text: string): string {
  return text.replaceAll(/[\p{Cc}\u2028\u2029]/gu, " ");
}
