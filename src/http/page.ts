import { createHash } from "node:crypto";
import { gzipSync } from "node:zlib";
import { type Dashboard, type PageFile, pageFiles, type ViewQuery, WINDOWS } from "../dashboard/index.ts";
import type { LiveViews } from "./live.ts";
import { json, problem, reply } from "./replies.ts";
import type { Asked, Route } from "./route.ts";

const LABEL_LENGTH_MAX = 256;

/** The routes of the dashboard but its files. */
export function dashboardRoutes(dashboard: Dashboard, live: LiveViews): Record<string, Route> {
  const withQuery =
    (answer: (query: ViewQuery) => Response) =>
    ({ url }: Asked): Response => {
      const query = readQuery(url.searchParams);
      return query === undefined
        ? problem(400, "QUERY_INVALID", `window is one of ${WINDOWS.join(", ")}; provider and model are names.`)
        : answer(query);
    };
  return {
    "/events": { method: "GET", answer: withQuery((query) => live.open(query)) },
    "/api/v1/snapshot": { method: "GET", answer: withQuery((query) => json(dashboard.view(query))) },
  };
}

function readQuery(params: URLSearchParams): ViewQuery | undefined {
  const window = WINDOWS.find((minutes) => String(minutes) === (params.get("window") ?? "5"));
  const provider = params.get("provider") ?? undefined;
  const model = params.get("model") ?? undefined;
  const isTooLong = [provider, model].some((label) => (label?.length ?? 0) > LABEL_LENGTH_MAX);
  return window === undefined || isTooLong ? undefined : { window, provider, model };
}

interface SentFile extends PageFile {
  readonly etag: string;
  readonly zipped: Uint8Array;
}

/** The page's files, read when they are first asked for. */
export class PageFiles {
  #files: Promise<ReadonlyMap<string, SentFile>> | undefined;

  /** `path` is `/` or that of an asset; `undefined` when there is no such file. */
  async answer(path: string, request: Request): Promise<Response | undefined> {
    this.#files ??= load();
    const name = path === "/" ? "index.html" : path.slice(1);
    const file = (await this.#files).get(name);
    return file === undefined ? undefined : send(file, request);
  }
}

async function load(): Promise<ReadonlyMap<string, SentFile>> {
  const files = await pageFiles();
  return new Map(
    files.map((file) => {
      const etag = `"${createHash("sha256").update(file.text).digest("base64url").slice(0, 16)}"`;
      return [file.name, { ...file, etag, zipped: gzipSync(file.text) }];
    }),
  );
}

function send({ name, type, text, etag, zipped }: SentFile, request: Request): Response {
  const headers = {
    etag,
    vary: "accept-encoding",
    // The names of the others change with their content.
    "cache-control": name === "index.html" ? "no-cache" : "public, max-age=31536000, immutable",
  };
  if (request.headers.get("if-none-match")?.includes(etag) === true) return reply(304, null, headers);
  const zips = /\bgzip\b/.test(request.headers.get("accept-encoding") ?? "");
  if (!zips) return reply(200, text, { ...headers, "content-type": type });
  return reply(200, zipped, { ...headers, "content-type": type, "content-encoding": "gzip" });
}
