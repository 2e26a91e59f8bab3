import type { Call, Fault } from "../core/index.ts";
import { rememberBy } from "./explained.ts";

/** What the caller gets thrown for a fault: the original error, explainable. */
export function thrownFor(call: Call, fault: Fault): unknown {
  // A function may throw nothing at all: that is what its caller gets.
  const error = fault.kind === "unknown" ? fault.error : (fault.error ?? absent(fault));
  rememberBy(error, call);
  return error;
}

function absent({ kind }: Fault): Error {
  return kind === "aborted"
    ? new DOMException("This operation was aborted", "AbortError")
    : new TypeError("fetch failed");
}
