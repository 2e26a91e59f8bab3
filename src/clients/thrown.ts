import type { Call, Fault } from "../core/index.ts";
import { rememberBy } from "./explained.ts";

/** What the caller gets thrown for a fault: the original error, explainable. */
export function thrownFor(call: Call, fault: Fault): unknown {
  const error = fault.error ?? absent(fault);
  rememberBy(error, call);
  return error;
}

function absent({ kind }: Fault): Error {
  return kind === "aborted"
    ? new DOMException("This operation was aborted", "AbortError")
    : new TypeError("fetch failed");
}
