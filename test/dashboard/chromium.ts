import { existsSync } from "node:fs";
import { type Browser, type BrowserContext, type BrowserContextOptions, chromium, type Page } from "playwright-core";

const PROGRAM = process.env["CHROMIUM"] ?? "/usr/bin/chromium";

export async function startBrowser(): Promise<Browser> {
  if (!existsSync(PROGRAM)) {
    throw new Error(
      `These tests open the dashboard in Chromium, and ${PROGRAM} is absent: run "apt-get install chromium", or name another one in the variable CHROMIUM.`,
    );
  }
  return chromium.launch({
    executablePath: PROGRAM,
    args: ["--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu"],
  });
}

/** A page in a context of its own, and what it complained of or asked from elsewhere. */
export interface Visit {
  readonly context: BrowserContext;
  readonly page: Page;
  readonly complaints: string[];
  readonly foreign: string[];
}

export async function visit(browser: Browser, url: string, options: BrowserContextOptions = {}): Promise<Visit> {
  const context = await browser.newContext({ locale: "en-US", viewport: { width: 1280, height: 900 }, ...options });
  const page = await context.newPage();
  const complaints: string[] = [];
  const foreign: string[] = [];
  page.on("console", (message) => {
    if (message.type() === "error" || message.type() === "warning") complaints.push(message.text());
  });
  page.on("pageerror", (error) => complaints.push(String(error)));
  page.on("request", (request) => {
    const { origin, protocol } = new URL(request.url());
    if (protocol !== "data:" && origin !== new URL(url).origin) foreign.push(request.url());
  });
  await page.goto(url);
  return { context, page, complaints, foreign };
}
