import { type Fault, faultOf, StreamInterruptedError } from "../../core/index.ts";

/** Whether the data of an event should have been JSON and is not. Events of other names, such as pings, may hold what they like. */
export function isGarbled(name: string | undefined, data: string, parsed: unknown): boolean {
  return parsed === undefined && data.trim() !== "" && (name === undefined || name === "message");
}

/** Of a stream that has said nothing yet: another try may do better, and whoever reads this one stumbles over it. */
export function garbledEvent(): Fault {
  const error = new StreamInterruptedError("The stream has an event that is not JSON, before any content.");
  return faultOf({ kind: "malformed", error });
}
