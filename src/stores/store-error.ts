import { BreakwaterError } from "../core/index.ts";

/** A store could not do what it was asked: not connected, overloaded, unreadable, closed. `cause` says more. */
export class StoreError extends BreakwaterError {
  constructor(message: string, cause?: unknown) {
    super("STORE_FAILED", message, cause === undefined ? undefined : { cause });
  }
}
