import { createServer, type IncomingHttpHeaders } from "node:http";
import { afterEach, describe, expect, it } from "vitest";
import { consoleHandler, slack, slackMessage, WebhookError, webhook } from "../../src/alerting/index.ts";
import { OptionError } from "../../src/core/index.ts";
import type { Alert } from "../../src/monitor/index.ts";
import { VirtualClock } from "../../src/testing/virtual-clock.ts";
import { heard } from "../monitor/alerts/support.ts";
import { monitored } from "../monitor/support.ts";

const FACTS = { rule: "hot", level: "critical", labels: { room: "hall" }, value: 91, threshold: 80, since: 1 } as const;
const ALERT: Alert = {
  ...FACTS,
  state: "firing",
  metric: "app.temperature",
  message: "value of app.temperature is 91 over 60 s, above 80 (room=hall).",
  group: "hot",
  repeat: 0,
  count: 1,
  alerts: [FACTS],
  runbook: undefined,
};

interface Received {
  readonly headers: IncomingHttpHeaders;
  readonly body: Record<string, unknown>;
}

const closers: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0)) await close();
});

/** A receiver on the loopback; `statuses` are those of its answers in order, the last one for ever; 0 never answers. */
async function receiver(...statuses: number[]) {
  const received: Received[] = [];
  const server = createServer((request, response) => {
    let text = "";
    request.setEncoding("utf8").on("data", (part: string) => {
      text += part;
    });
    request.on("end", () => {
      received.push({ headers: request.headers, body: JSON.parse(text) });
      const status = statuses.length > 1 ? statuses.shift() : statuses[0];
      if (status !== 0) response.writeHead(status ?? 200).end("secret words of the answer");
    });
  });
  await new Promise<void>((resolve) => {
    server.listen(0, "127.0.0.1", resolve);
  });
  closers.push(
    () =>
      new Promise((resolve) => {
        server.closeAllConnections();
        server.close(() => resolve());
      }),
  );
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("The server has no port.");
  return { url: `http://127.0.0.1:${address.port}/hooks/T0SECRET`, received };
}

const context = { signal: new AbortController().signal };

describe("webhook", () => {
  it("posts the message as JSON", async () => {
    const { url, received } = await receiver(200);
    await webhook({ url, headers: { authorization: "Bearer token" } })(ALERT, context);
    expect(received).toHaveLength(1);
    expect(received[0]?.headers).toMatchObject({ "content-type": "application/json", authorization: "Bearer token" });
    expect(received[0]?.body).toEqual(JSON.parse(JSON.stringify(ALERT)));
  });

  it("tries again after a failure that may pass, and not after one that does not", async () => {
    const passing = await receiver(503, 429, 200);
    await webhook({ url: passing.url })(ALERT, context);
    expect(passing.received).toHaveLength(3);
    const lasting = await receiver(404);
    await expect(webhook({ url: lasting.url })(ALERT, context)).rejects.toMatchObject({
      name: "WebhookError",
      status: 404,
    });
    expect(lasting.received).toHaveLength(1);
  });

  it("gives up after its retries, and its error holds neither the address nor the answer", async () => {
    const { url, received } = await receiver(500);
    const error = await Promise.resolve(webhook({ url, retries: 1 })(ALERT, context)).catch(
      (thrown: unknown) => thrown,
    );
    expect(error).toBeInstanceOf(WebhookError);
    expect(received).toHaveLength(2);
    expect(`${error} ${JSON.stringify(error)}`).not.toMatch(/SECRET|secret|127\.0\.0\.1/);
  });

  it("stops when it is told to", async () => {
    const { url } = await receiver(0);
    const abort = new AbortController();
    const sent = Promise.resolve(webhook({ url })(ALERT, { signal: abort.signal }));
    abort.abort(new DOMException("Enough.", "AbortError"));
    await expect(sent).rejects.toMatchObject({ name: "AbortError" });
  });

  it("has one time limit for all tries together, and leaves no timer behind", async () => {
    const clock = new VirtualClock();
    let tries = 0;
    const fetch = async (): Promise<Response> => {
      tries++;
      await new Promise<void>((resolve) => {
        clock.timer(100, resolve);
      });
      return new Response(null, { status: 503 });
    };
    const sent = Promise.resolve(
      webhook({ url: "http://localhost/", fetch, clock, timeout: "1s", retries: 5 })(ALERT, context),
    );
    const failed = expect(sent).rejects.toMatchObject({ name: "TimeoutError" });
    await clock.advance(10_000);
    await failed;
    // After 0, 350 and 1450 ms; the third would be too late.
    expect(tries).toBe(2);
    expect(clock.pendingTimers).toBe(0);
  });

  it.each([
    { url: "ftp://localhost" },
    { url: "T0SECRET" },
    {},
    { url: "http://localhost", retries: 9 },
    { url: "http://localhost", timeout: 0 },
    { url: "http://localhost", headers: { "a b": "c" } },
    { url: "http://localhost", method: "GET" },
    { url: "http://localhost", fetch: 3 },
  ])("refuses wrong options without showing an address: %j", (options) => {
    expect(() => webhook(options as never)).toThrow(OptionError);
    expect(() => slack(options as never)).toThrow(/^(?!.*SECRET)/);
  });

  it("tells the monitor of its failures by name only", async () => {
    const { url } = await receiver(404);
    const { clock, runtime, monitor } = monitored({
      alerts: [{ metric: "app.temperature", aggregate: "value", above: 80 }],
      handlers: [webhook({ url })],
    });
    const failures = heard(runtime, "alert.handler_failed");
    monitor.gauge("app.temperature").set(91);
    monitor.evaluate();
    await expect.poll(() => failures, { timeout: 30_000 }).toHaveLength(1);
    expect(failures[0]).toMatchObject({ handler: "webhook", error: "WebhookError" });
    monitor.close();
    expect(clock.pendingTimers).toBe(0);
  });
});

describe("slack", () => {
  it("posts what Slack's incoming webhooks take", async () => {
    const { url, received } = await receiver(200);
    await slack({ url })({ ...ALERT, runbook: "https://wiki/hot" }, context);
    expect(received[0]?.body).toEqual({
      text: `CRITICAL: hot: ${ALERT.message.replaceAll(">", "&gt;")}`,
      attachments: [
        {
          color: "#c62828",
          blocks: [
            { type: "section", text: { type: "mrkdwn", text: `*CRITICAL: hot*\n${ALERT.message}` } },
            { type: "section", text: { type: "mrkdwn", text: "Runbook: https://wiki/hot" } },
          ],
        },
      ],
    });
  });

  it("lists twenty alerts, counts the rest, and says which message of many it is", () => {
    const alerts = Array.from({ length: 50 }, (_, index) => ({ ...FACTS, labels: { room: `r${index}` } }));
    const text = JSON.stringify(slackMessage({ ...ALERT, alerts, count: 50, repeat: 2 }));
    expect(text).toContain("- hot 91 room=r19");
    expect(text).not.toContain("room=r20");
    expect(text).toContain("and 30 more");
    expect(text).toContain("(message 3)");
    expect(JSON.stringify(slackMessage({ ...ALERT, state: "resolved" }))).toContain("RESOLVED: hot");
  });

  it("takes no mention and no link from a label", () => {
    const text = JSON.stringify(slackMessage({ ...ALERT, message: "above 80 (room=<!channel> <http://evil|x>)" }));
    expect(text).not.toMatch(/<!channel>|<http/);
  });
});

describe("consoleHandler", () => {
  it("writes one line a message, whatever is in it", () => {
    const lines: string[] = [];
    const handler = consoleHandler({ write: (line) => lines.push(line) });
    handler({ ...ALERT, message: "one\ntwo\u2028three" }, context);
    expect(lines).toEqual(["alert firing critical hot: one two three"]);
  });

  it("refuses wrong options", () => {
    expect(() => consoleHandler({ write: "log" } as never)).toThrow(OptionError);
    expect(() => consoleHandler({ colour: true } as never)).toThrow(OptionError);
  });
});
