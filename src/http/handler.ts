import { createDashboard } from "../dashboard/index.ts";
import type { Optimizer } from "../optimizer.ts";
import { apiRoutes } from "./api.ts";
import { createGuard, type Guard } from "./guard.ts";
import { LiveViews } from "./live.ts";
import { metricsRoute } from "./metrics.ts";
import { type HandlerOptions, type HandlerSettings, readHandlerOptions } from "./options.ts";
import { dashboardRoutes, PageFiles } from "./page.ts";
import { profileRoute } from "./profile.ts";
import { ReadinessWatch } from "./readiness.ts";
import { json, problem, slashAdded } from "./replies.ts";
import type { Route } from "./route.ts";

/** Answers requests about an optimizer. Never rejects. */
export interface HttpHandler {
  (request: Request): Promise<Response>;
  /** Readiness says no from now on, everything else goes on: before the server stops. */
  drain(): void;
  /** Ends the streams and every timer. What comes later still gets an answer, but no events. */
  close(): void;
}

/**
 * Health, metrics, an API and a live dashboard for an optimizer, as one function from `Request` to `Response`: for
 * anything that speaks fetch, and with `nodeHandler` for Node's own servers.
 *
 * Throws `OptionError`.
 */
export function handler(optimizer: Optimizer, options: HandlerOptions = {}): HttpHandler {
  const settings = readHandlerOptions(options);
  const guard = createGuard(settings);
  const readiness = new ReadinessWatch(optimizer, settings.checks);
  const { routes, files, close } = buildRoutes(optimizer, settings, guard, readiness);

  const handle = async (request: Request): Promise<Response> => {
    const url = new URL(request.url);
    const path = pathWithin(settings.basePath, url.pathname);
    if (path === undefined) return notFound();
    if (path === "") return slashAdded(url.pathname, url.search);
    const route = routes[path];
    const refusal = route?.open === true ? undefined : refuse(guard, settings, request, url, route);
    if (refusal !== undefined) return refusal;
    if (route !== undefined) return wrongMethod(request, route) ?? (await route.answer({ request, url }));
    const file = isRead(request) ? await files?.answer(path, request) : undefined;
    return file ?? notFound();
  };

  const respond = async (request: Request): Promise<Response> => {
    try {
      const response = await handle(request);
      return request.method === "HEAD" ? withoutBody(response) : response;
    } catch {
      // Not what was thrown: it may repeat what no reply may carry.
      return problem(500, "INTERNAL", "This could not be answered.");
    }
  };
  return Object.assign(respond, {
    drain: () => readiness.drain(),
    close: () => {
      readiness.close();
      close();
    },
  });
}

function buildRoutes(optimizer: Optimizer, settings: HandlerSettings, guard: Guard, readiness: ReadinessWatch) {
  const routes: Record<string, Route> = {
    // Touches nothing: it is answered while the event loop turns.
    "/health/live": { method: "GET", open: true, answer: () => json({ status: "ok" }) },
    "/health/ready": {
      method: "GET",
      open: true,
      answer: ({ request, url }) => ready(readiness, settings, guard, request, url),
    },
    "/metrics": metricsRoute(optimizer),
    ...apiRoutes(optimizer, settings.callLog),
    "/api/v1/profile": profileRoute(settings.profiler),
  };
  if (!settings.dashboard) return { routes: table(routes), files: undefined, close: () => {} };
  const dashboard = createDashboard(optimizer, settings);
  const live = new LiveViews(dashboard, optimizer.line.runtime.clock, settings.maxStreams);
  const close = (): void => {
    live.close();
    dashboard.close();
  };
  return { routes: table({ ...routes, ...dashboardRoutes(dashboard, live) }), files: new PageFiles(), close };
}

// Without a prototype: a path such as "/constructor" is no route.
function table(routes: Record<string, Route>): Readonly<Record<string, Route | undefined>> {
  return Object.assign(Object.create(null), routes);
}

/** Whoever may not see more learns the status alone. */
function ready(
  { current }: ReadinessWatch,
  { protectsEverything }: HandlerSettings,
  guard: Guard,
  request: Request,
  url: URL,
): Response {
  const status = current.status === "down" ? 503 : 200;
  const seesAll = guard.foreign(request, url) === undefined && (!protectsEverything || guard.isAuthorized(request));
  return json(seesAll ? current : { status: current.status }, status);
}

function refuse(
  guard: Guard,
  { protectsEverything }: HandlerSettings,
  request: Request,
  url: URL,
  route: Route | undefined,
): Response | undefined {
  const foreign = guard.foreign(request, url);
  if (foreign !== undefined) return foreign;
  const changes = route?.method === "POST" && request.method === "POST";
  return changes || route?.guarded === true || protectsEverything ? guard.unauthorized(request) : undefined;
}

function wrongMethod(request: Request, route: Route): Response | undefined {
  const allowed = route.method === "GET" ? ["GET", "HEAD"] : ["POST"];
  if (allowed.includes(request.method)) return undefined;
  return problem(405, "METHOD_NOT_ALLOWED", `This takes ${allowed.join(" and ")}.`, { allow: allowed.join(", ") });
}

function isRead({ method }: Request): boolean {
  return method === "GET" || method === "HEAD";
}

function notFound(): Response {
  return problem(404, "NOT_FOUND", "There is nothing under this path.");
}

async function withoutBody(response: Response): Promise<Response> {
  await response.body?.cancel();
  return new Response(null, { status: response.status, headers: response.headers });
}

/** The path below `basePath`: empty where it is the base itself without a slash, `undefined` where it is elsewhere. */
function pathWithin(basePath: string, path: string): string | undefined {
  if (path === basePath) return "";
  return path.startsWith(`${basePath}/`) ? path.slice(basePath.length) : undefined;
}
