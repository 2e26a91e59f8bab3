import axe from "axe-core";
import type { Browser, Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { type RunningServer, type ServeOptions, serve } from "../../src/http/index.ts";
import { createOptimizer, type Optimizer } from "../../src/index.ts";
import { profiler } from "../../src/profiler/index.ts";
import { recommend } from "../../src/reports/index.ts";
import { startBrowser, type Visit, visit } from "./chromium.ts";
import { pricedOptimizer, someTraffic } from "./traffic.ts";

const WAIT = { timeout: 30_000 };

let browser: Browser;
let optimizer: Optimizer;
let server: RunningServer;
let visits: Visit[] = [];

beforeAll(async () => {
  browser = await startBrowser();
});
afterAll(() => browser.close());
afterEach(async () => {
  for (const { context } of visits) await context.close();
  visits = [];
  await server.close();
  await optimizer.close();
});

async function start(options: ServeOptions = {}, chosen: Optimizer = pricedOptimizer()): Promise<void> {
  optimizer = chosen;
  server = await serve(optimizer, { port: 0, ...options });
}

async function open(options: Parameters<typeof visit>[2] = {}, url = server.url): Promise<Visit> {
  const opened = await visit(browser, url, options);
  visits.push(opened);
  await expect.poll(() => opened.page.locator(".link").textContent(), WAIT).toContain("Live");
  return opened;
}

function shownBy(page: Page, tile: string): Promise<string | null> {
  return page
    .locator("article", { has: page.getByRole("heading", { name: tile, exact: true }) })
    .locator(".value")
    .textContent();
}

async function violations(page: Page): Promise<unknown[]> {
  await page.evaluate(axe.source);
  const { violations: found } = (await page.evaluate(
    "axe.run({ runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa'] })",
  )) as {
    violations: { id: string; nodes: { html: string }[] }[];
  };
  return found.map(({ id, nodes }) => [id, ...nodes.map(({ html }) => html)]);
}

describe("the dashboard in Chromium", () => {
  for (const colorScheme of ["light", "dark"] as const) {
    for (const width of [1280, 390]) {
      it(
        `${colorScheme}, ${width} px: shows traffic without a complaint, a foreign request or a barrier`,
        WAIT,
        async () => {
          await start();
          await someTraffic(optimizer);
          const { page, complaints, foreign } = await open({ colorScheme, viewport: { width, height: 844 } });
          await expect.poll(() => page.locator(".plot canvas").count(), WAIT).toBeGreaterThanOrEqual(3);
          expect(await shownBy(page, "Answered")).toMatch(/^9\d\.\d %/);
          expect(await shownBy(page, "Cost")).toContain("$");
          expect(await page.getByRole("row", { name: "gpt-4o-mini" }).count()).toBe(1);
          expect(await violations(page)).toEqual([]);
          const isTooWide = await page.evaluate(
            "document.documentElement.scrollWidth > document.documentElement.clientWidth",
          );
          expect(isTooWide).toBe(false);
          expect(complaints).toEqual([]);
          expect(foreign).toEqual([]);
        },
      );
    }
  }

  it("says that there is no data before the first call, and shows it when it comes", WAIT, async () => {
    await start();
    const { page, complaints } = await open();
    expect(await shownBy(page, "Calls")).toBe("no data");
    expect(await page.getByText("No call has come yet.").count()).toBe(1);
    // The chart of the event loop needs no call.
    expect(await page.locator(".plot canvas").count()).toBeLessThanOrEqual(1);
    expect(await violations(page)).toEqual([]);
    await someTraffic(optimizer);
    await expect.poll(() => shownBy(page, "Calls"), WAIT).toContain("/ min");
    await expect.poll(() => page.locator(".plot canvas").count(), WAIT).toBeGreaterThanOrEqual(3);
    expect(complaints).toEqual([]);
  });

  it("says that no prices are set, which is not a cost of zero", WAIT, async () => {
    await start({}, createOptimizer({ environment: {} }));
    await someTraffic(optimizer, 5);
    const { page } = await open();
    await expect.poll(() => shownBy(page, "Cost"), WAIT).toBe("no prices set");
  });

  it("works mounted under a path, and where the browser names a language that Intl refuses", WAIT, async () => {
    await start({ basePath: "/x/y" });
    await someTraffic(optimizer);
    const context = await browser.newContext({ locale: "en-US" });
    await context.addInitScript(
      "Object.defineProperty(Navigator.prototype, 'language', { get: () => 'en-US@posix', configurable: true })",
    );
    const page = await context.newPage();
    const complaints: string[] = [];
    page.on("pageerror", (error) => complaints.push(String(error)));
    await page.goto(server.url.slice(0, -1));
    await expect.poll(() => page.locator(".plot canvas").count(), WAIT).toBeGreaterThanOrEqual(3);
    expect(page.url()).toBe(server.url);
    expect(complaints).toEqual([]);
    await context.close();
  });

  it("can be used with the keyboard alone", WAIT, async () => {
    await start();
    await someTraffic(optimizer);
    const { page } = await open();
    const focus = async (name: string, role: "button" | "radio" | "img"): Promise<void> => {
      const wanted = page.getByRole(role, { name });
      for (let presses = 0; presses < 60; presses++) {
        if (await wanted.first().evaluate((element) => element.matches(":focus"))) return;
        await page.keyboard.press("Tab");
      }
      throw new Error(`The keyboard does not reach ${name}.`);
    };
    await focus("5 min", "radio");
    await page.keyboard.press("ArrowLeft");
    await expect.poll(() => page.url(), WAIT).toContain("window=1");
    await focus("Duration of calls", "img");
    await page.keyboard.press("End");
    await page.keyboard.press("ArrowLeft");
    await page.keyboard.press("ArrowRight");
    const said = page.locator("figure").first().locator("[aria-live]");
    await expect.poll(() => said.textContent(), WAIT).toMatch(/^\d\d:\d\d:\d\d: p50 .+, p95 .+, p99 /);
    await focus("gpt-4o-mini", "button");
    await page.keyboard.press("Enter");
    await expect.poll(() => page.url(), WAIT).toContain("model=gpt-4o-mini");
    await expect.poll(() => shownBy(page, "Calls"), WAIT).toContain("/ min");
    await expect.poll(() => page.locator("article").first().locator(".n").textContent(), WAIT).toContain("20 calls");
    await focus("Show all calls", "button");
    await page.keyboard.press("Enter");
    await expect.poll(() => page.locator("article").first().locator(".n").textContent(), WAIT).toContain("60 calls");
  });

  it(
    "shows recommendations and profiles where there are some, and no word of them where nobody looks",
    WAIT,
    async () => {
      const chosen = pricedOptimizer();
      const slow = profiler(chosen);
      await start({ recommendations: { list: () => recommend(chosen, { minCount: 20 }) }, profiler: slow }, chosen);
      await someTraffic(optimizer);
      const { page, complaints } = await open();
      const section = (name: string) => page.locator("section", { has: page.getByRole("heading", { name }) });
      await expect.poll(() => section("Recommendations").locator("li").count(), WAIT).toBeGreaterThan(0);
      expect(await section("Recommendations").locator("li").first().textContent()).toContain("Take it back when");
      expect(await section("Processor profiles").textContent()).toContain("No slow call came");
      expect(await violations(page)).toEqual([]);
      expect(complaints).toEqual([]);
      slow.close();
      const plain = await serve(optimizer, { port: 0 });
      const bare = await open({}, plain.url);
      expect(await bare.page.getByRole("heading", { name: "Recommendations" }).count()).toBe(0);
      await plain.close();
    },
  );

  it("sorts the table of models", WAIT, async () => {
    await start();
    await someTraffic(optimizer);
    const { page } = await open();
    const names = () => page.locator("tbody th button").allTextContents();
    await page.getByRole("button", { name: "Provider / model" }).click();
    await expect
      .poll(names, WAIT)
      .toEqual(
        ["custom / gpt-4o", "custom / gpt-4o-mini", "custom / o4-mini"].map(
          (name) => expect.stringContaining(name.slice(9)) as string,
        ),
      );
    expect(await page.getByRole("columnheader", { name: "Provider / model" }).getAttribute("aria-sort")).toBe(
      "ascending",
    );
    await page.getByRole("button", { name: "Provider / model" }).click();
    await expect.poll(async () => (await names())[0], WAIT).toContain("o4-mini");
  });

  it("reconnects to a server that was killed, without a point twice", { timeout: 60_000 }, async () => {
    await start();
    await someTraffic(optimizer);
    const { page } = await open();
    const { port } = server;
    await server.close();
    await expect.poll(() => page.locator(".link").textContent(), WAIT).toContain("Reconnecting");
    server = await serve(optimizer, { port });
    await expect.poll(() => page.locator(".link").textContent(), WAIT).toContain("Live");
    const times = page.locator("figure").first().locator("tbody th");
    await expect.poll(() => times.count(), WAIT).toBeGreaterThan(2);
    const shown = await times.allTextContents();
    expect(new Set(shown).size).toBe(shown.length);
    expect([...shown].sort()).toEqual(shown);
  });

  it("names the server's reason when there are too many dashboards, and asks instead", WAIT, async () => {
    await start({ maxStreams: 1 });
    await someTraffic(optimizer);
    const first = await open();
    const second = await visit(browser, server.url);
    visits.push(second);
    await expect.poll(() => second.page.getByText("1 dashboards are open already").count(), WAIT).toBe(1);
    expect(await shownBy(second.page, "Calls")).toContain("/ min");
    await expect.poll(() => first.page.locator(".link").textContent(), WAIT).toContain("Live");
  });

  it("lets its stream go when it is hidden, so that eight tabs leave the page loadable", WAIT, async () => {
    await start();
    const { context, page } = await open();
    for (let n = 0; n < 8; n++) {
      const tab = await context.newPage();
      await tab.goto(server.url);
      await tab.evaluate(
        "Object.defineProperty(document, 'visibilityState', { get: () => 'hidden' }), document.dispatchEvent(new Event('visibilitychange'))",
      );
      await expect.poll(() => tab.locator(".link").textContent(), WAIT).toContain("Paused");
    }
    const last = await context.newPage();
    await last.goto(server.url);
    await expect.poll(() => last.locator(".link").textContent(), WAIT).toContain("Live");
    await expect.poll(() => page.locator(".link").textContent(), WAIT).toContain("Live");
  });

  it("stays usable with 500 models", WAIT, async () => {
    await start({}, createOptimizer({ environment: {} }));
    for (let n = 0; n < 500; n++) await optimizer.call({ model: `model-${n}`, input: "x" }, () => "answer");
    const { page, complaints } = await open();
    await expect.poll(() => page.locator(".models tbody tr").count(), WAIT).toBe(12);
    await page.getByRole("button", { name: /^Show all/ }).click();
    await expect.poll(() => page.locator(".models tbody tr").count(), WAIT).toBe(60);
    expect(await page.locator(".more").textContent()).toMatch(/\d+ more with fewer calls are left out/);
    expect(complaints).toEqual([]);
  });
});
