import { afterAll, beforeAll, expect, it } from "vitest";
import { type RunningServer, serve } from "../../src/http/index.ts";
import type { Optimizer } from "../../src/index.ts";
import { startBrowser, visit } from "./chromium.ts";
import { pricedOptimizer, someTraffic } from "./traffic.ts";

const MINUTE = 60_000;
const MEGABYTE = 1024 * 1024;

let optimizer: Optimizer;
let server: RunningServer;
let stopped = false;

beforeAll(async () => {
  optimizer = pricedOptimizer();
  server = await serve(optimizer, { port: 0 });
  void (async () => {
    while (!stopped) {
      await someTraffic(optimizer, 20);
      await new Promise((resolve) => setTimeout(resolve, 200));
    }
  })();
});
afterAll(async () => {
  stopped = true;
  await server.close();
  await optimizer.close();
});

it("a page that is open for ten minutes does not grow", { timeout: 15 * MINUTE }, async () => {
  const browser = await startBrowser();
  try {
    const { context, page, complaints } = await visit(browser, server.url);
    const devTools = await context.newCDPSession(page);
    const heap = async (): Promise<number> => {
      await devTools.send("HeapProfiler.collectGarbage");
      return (await devTools.send("Runtime.getHeapUsage")).usedSize;
    };
    await page.waitForTimeout(MINUTE);
    const before = await heap();
    await page.waitForTimeout(9 * MINUTE);
    const after = await heap();
    console.log(
      `heap after 1 min ${(before / MEGABYTE).toFixed(1)} MB, after 10 min ${(after / MEGABYTE).toFixed(1)} MB`,
    );
    expect(after - before).toBeLessThan(10 * MEGABYTE);
    expect(await page.locator(".link").textContent()).toContain("Live");
    expect(complaints).toEqual([]);
  } finally {
    await browser.close();
  }
});
