import { OptionError } from "../core/index.ts";
import type { Optimizer } from "../optimizer.ts";
import { readJson } from "./body.ts";
import { callQuery } from "./call-query.ts";
import type { CallLogReader } from "./options.ts";
import { json, problem } from "./replies.ts";
import type { Route } from "./route.ts";

/** The routes that give and change what an optimizer knows. */
export function apiRoutes(optimizer: Optimizer, callLog: CallLogReader | undefined): Record<string, Route> {
  return {
    "/api/v1/performance/stats": {
      method: "GET",
      answer: () => json({ health: optimizer.health(), stats: optimizer.stats() }),
    },
    "/api/v1/performance/optimize": {
      method: "POST",
      answer: async ({ request }) => {
        const body = await readJson(request);
        if (body instanceof Response) return body;
        const before = optimizer.stats().profile;
        // What is wrong with it `tune` says itself.
        return orWrong(() => {
          optimizer.tune(body["profile"] as Parameters<Optimizer["tune"]>[0]);
          return json({ profile: optimizer.stats().profile, before });
        });
      },
    },
    "/api/v1/cache/stats": { method: "GET", answer: () => json(optimizer.cache.stats()) },
    "/api/v1/cache/clear": {
      method: "POST",
      answer: async () => {
        await optimizer.cache.clear();
        return json({ cleared: true });
      },
    },
    "/api/v1/calls": {
      method: "GET",
      answer: ({ url }) => {
        if (callLog === undefined) {
          return problem(404, "NO_CALL_LOG", 'No call log is kept; give one in the option "callLog".');
        }
        return orWrong(async () => json(await callLog.query(callQuery(url.searchParams))));
      },
    },
    "/api/v1/alerts": { method: "GET", answer: () => json({ alerts: optimizer.monitor.alerts.list() }) },
    "/api/v1/report": {
      method: "GET",
      answer: ({ url }) => {
        const minutes = url.searchParams.get("minutes");
        return orWrong(() => json(optimizer.monitor.report(minutes === null ? {} : { minutes: Number(minutes) })));
      },
    },
  };
}

/** What `answer` gives; what it says of a wrong option becomes a 400. */
async function orWrong(answer: () => Response | Promise<Response>): Promise<Response> {
  try {
    return await answer();
  } catch (error) {
    if (error instanceof OptionError) return problem(400, error.code, error.message);
    throw error;
  }
}
