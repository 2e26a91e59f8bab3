import { afterEach, describe, expect, it } from "vitest";
import { type HandlerOptions, handler } from "../../src/http/index.ts";
import { profiler } from "../../src/profiler/index.ts";
import { watchRecommendations } from "../../src/reports/index.ts";
import { BEARER, type Desk, errorCode, openDesk, TOKEN } from "./support.ts";

let desk: Desk;
afterEach(() => desk.close());

interface Shown {
  readonly recommendations: readonly Record<string, unknown>[] | null;
  readonly profiles: readonly { readonly id: string; readonly top: readonly string[] }[] | null;
}

/** A second handler of the desk's optimizer, which has what watches that one. */
function page(options: HandlerOptions) {
  const handle = handler(desk.optimizer, options);
  return {
    shown: async () => (await (await handle(new Request("http://localhost/api/v1/snapshot"))).json()) as Shown,
    profile: (id: string, init: RequestInit = {}) =>
      handle(new Request(`http://localhost/api/v1/profile?id=${id}`, init)),
    close: () => handle.close(),
  };
}

/** One call that takes so long and may be refused for a rate limit. */
async function call(model: string, ms: number, refused = false): Promise<void> {
  const { optimizer, clock } = desk;
  const one = optimizer.call({ model, input: `${model} canary-prompt` }, async () => {
    await new Promise<void>((resolve) => clock.timer(ms, () => resolve()));
    if (refused) throw Object.assign(new Error("canary-words"), { status: 429 });
    return "answer";
  });
  await clock.run(one.catch(() => {}));
}

describe("recommendations", () => {
  it("are unknown where nobody looks for them", async () => {
    desk = openDesk();
    const { shown, close } = page({});
    expect(await shown()).toMatchObject({ recommendations: null, profiles: null });
    close();
  });

  it("are shown with their figures, and no longer once they have passed", async () => {
    desk = openDesk({}, { retry: false });
    const watch = watchRecommendations(desk.optimizer, { every: "1m", minCount: 20 });
    const { shown, close } = page({ recommendations: watch });
    expect((await shown()).recommendations).toEqual([]);
    for (let n = 0; n < 30; n++) await call(`m${n}`, 10, true);
    await desk.clock.advance(60_000);
    expect((await shown()).recommendations).toContainEqual({
      id: "rate_limit_high",
      title: expect.stringContaining("rate limit"),
      advice: expect.stringContaining("rateLimit.requestsPerMinute"),
      evidence: expect.objectContaining({ n: 30, throttled: 30 }),
      undoWhen: expect.any(String),
    });
    expect(JSON.stringify(await shown())).not.toContain("canary");
    await desk.clock.advance(2 * 3_600_000);
    expect((await shown()).recommendations).toEqual([]);
    watch.close();
    close();
  });
});

describe("processor profiles", () => {
  const PROFILE = {
    startTime: 0,
    endTime: 5_000_000,
    nodes: [{ id: 1, hitCount: 9, callFrame: { functionName: "encode", url: "file:///app/tokens.js", lineNumber: 9 } }],
  };

  it("are listed, and given as a file to whoever has the token", async () => {
    desk = openDesk();
    const busy = { loopDelayMs: () => 900, utilization: () => 1, close: () => {} };
    const cpu = { isDebugged: () => false, capture: async () => PROFILE, close: () => {} };
    const watch = profiler(desk.optimizer, { slowAfter: "1s", cpuProfiles: true, source: { process: busy, cpu } });
    const { shown, profile, close } = page({ profiler: watch, token: TOKEN });
    expect((await shown()).profiles).toEqual([]);
    await call("m", 5_000);
    await expect.poll(async () => (await shown()).profiles, { timeout: 30_000 }).toHaveLength(1);
    const [one] = (await shown()).profiles ?? [];
    expect(one).toMatchObject({ seconds: 5, top: ["encode (tokens.js:10) 100 %"] });
    const id = one?.id ?? "";
    expect((await profile(id)).status).toBe(401);
    const file = await profile(id, { headers: BEARER });
    expect(file.headers.get("content-disposition")).toContain("attachment");
    expect(await file.json()).toEqual(PROFILE);
    expect(await errorCode(await profile("../other", { headers: BEARER }))).toBe("NO_PROFILE");
    watch.close();
    close();
  });

  it("are given to nobody while no token is set", async () => {
    desk = openDesk();
    const watch = profiler(desk.optimizer);
    const { profile, close } = page({ profiler: watch });
    expect(await errorCode(await profile("p1", { headers: BEARER }))).toBe("TOKEN_NOT_SET");
    watch.close();
    close();
  });

  it("are none where no profiler is given", async () => {
    desk = openDesk({ token: TOKEN });
    expect(await errorCode(await desk.ask("/api/v1/profile?id=p1", { headers: BEARER }))).toBe("NO_PROFILER");
  });
});
