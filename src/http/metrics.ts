import { prometheus } from "../exporters/prometheus/index.ts";
import type { Optimizer } from "../optimizer.ts";
import { reply } from "./replies.ts";
import type { Route } from "./route.ts";

/** `/metrics`: the Prometheus text format, or OpenMetrics where it is asked for. */
export function metricsRoute(optimizer: Optimizer): Route {
  const exporter = prometheus(optimizer.monitor);
  return {
    method: "GET",
    answer({ request }) {
      const { contentType, chunks } = exporter.scrape(request.headers.get("accept") ?? undefined);
      const body = ReadableStream.from(chunks()).pipeThrough(new TextEncoderStream());
      return reply(200, body, { "content-type": contentType });
    },
  };
}
