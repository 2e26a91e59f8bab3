import { type Fault, faultOf } from "../../core/index.ts";
import { isObject } from "./json.ts";

/** Codes of Node and undici for a response that arrived and cannot be read. */
const UNREADABLE = /^(HPE_|Z_|ERR_ZLIB|ERR_BROTLI|ERR__ERROR_FORMAT|UND_ERR_RES_CONTENT_LENGTH|UND_ERR_RESPONSE)/;
const CAUSES_MAX = 5;

/** What `fetch`, or reading its body, threw: `network`, or `malformed` for a response that breaks HTTP. */
export function readConnectionFailure(error: unknown): Fault {
  return faultOf({ kind: isUnreadable(error) ? "malformed" : "network", error });
}

function isUnreadable(error: unknown): boolean {
  let current = error;
  for (let depth = 0; depth < CAUSES_MAX && isObject(current); depth++) {
    if (UNREADABLE.test(String(current["code"]))) return true;
    current = current["cause"];
  }
  return false;
}
