import { createHash, timingSafeEqual } from "node:crypto";
import type { HandlerSettings } from "./options.ts";
import { problem } from "./replies.ts";

const ADDRESS = /^(\d{1,3}(\.\d{1,3}){3}|\[[0-9a-f:.]+\])$/;
const LOOPBACK_NAME = /^(.+\.)?localhost$/;

/** Who may ask. */
export interface Guard {
  /**
   * A refusal of a request that a page of somebody else's could have sent: for a host name that is not ours (DNS
   * rebinding), or from another origin.
   */
  foreign(request: Request, url: URL): Response | undefined;
  /** A refusal of a request for something that wants the token. */
  unauthorized(request: Request): Response | undefined;
  /** Whether the request has the token. */
  isAuthorized(request: Request): boolean;
}

export function createGuard({ hosts, token }: Pick<HandlerSettings, "hosts" | "token">): Guard {
  const digest = token === undefined ? undefined : sha256(token);
  const isAuthorized = (request: Request): boolean => {
    const given = tokenOf(request.headers.get("authorization"));
    return digest !== undefined && given !== undefined && timingSafeEqual(sha256(given), digest);
  };
  // An address cannot be rebound: whoever names it in a URL reaches that machine and no other.
  const isOurs = (name: string): boolean =>
    hosts === "*" || ADDRESS.test(name) || LOOPBACK_NAME.test(name) || hosts.includes(name);

  return {
    foreign(request, url) {
      const host = request.headers.get("host") ?? url.host;
      const name = hostName(host);
      if (name === undefined || !isOurs(name)) {
        return problem(403, "FOREIGN_HOST", 'This host name is not known here; list it in the option "hosts".');
      }
      const origin = request.headers.get("origin");
      if (origin === null || isSameOrigin(origin, host, hosts)) return undefined;
      return problem(403, "FOREIGN_ORIGIN", "Requests of other origins are not answered.");
    },
    unauthorized(request) {
      if (digest === undefined) {
        return problem(403, "TOKEN_NOT_SET", 'This needs a token, and none is set: give one in the option "token".');
      }
      if (isAuthorized(request)) return undefined;
      return problem(401, "UNAUTHORIZED", 'Send the token: "authorization: Bearer ...", or as the password of Basic.', {
        "www-authenticate": 'Basic realm="breakwater", charset="UTF-8"',
      });
    },
    isAuthorized,
  };
}

/** The token of `Bearer <token>`, or the password of `Basic`, whatever the user name is. */
function tokenOf(authorization: string | null): string | undefined {
  const [, scheme = "", credentials = ""] = /^(bearer|basic) +(\S+)$/i.exec(authorization ?? "") ?? [];
  if (scheme.toLowerCase() === "bearer") return credentials;
  if (scheme === "") return undefined;
  const [, password] = /^[^:]*:(.*)$/s.exec(Buffer.from(credentials, "base64").toString("utf8")) ?? [];
  return password;
}

// Equal lengths, whatever was given: the comparison tells nothing by the time it takes.
function sha256(text: string): Buffer {
  return createHash("sha256").update(text).digest();
}

function isSameOrigin(origin: string, host: string, hosts: readonly string[] | "*"): boolean {
  if (!URL.canParse(origin)) return false;
  const from = new URL(origin);
  // A proxy in front may have changed the host: then the origin is one of the names that are listed.
  return from.host === host.toLowerCase() || (hosts !== "*" && hosts.includes(from.hostname));
}

/** The host without its port, in lower case. */
function hostName(host: string): string | undefined {
  const [, name] = /^(\[[^\]]+\]|[^:]+)(:\d+)?$/.exec(host.toLowerCase()) ?? [];
  return name;
}
