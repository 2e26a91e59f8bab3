import type { KeptAnswer, ReplyHead } from "../../core/index.ts";

const KEPT_HEADERS: ReadonlySet<string> = new Set(["content-type", "x-request-id"]);

/** What is kept of a head: not limits and cookies, which were for the one who asked. */
export function keptHead({ status, headers }: ReplyHead): KeptAnswer["head"] {
  return { status, headers: headers.filter(([name]) => KEPT_HEADERS.has(name.toLowerCase())) };
}
