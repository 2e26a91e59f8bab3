import type { AlertFacts } from "../core/index.ts";
import type { Alert, AlertHandler } from "../monitor/index.ts";
import { poster, type WebhookOptions } from "./webhook.ts";

/** As those of `webhook`; `url` is that of an incoming webhook, of Slack or of whatever takes its JSON. */
export type SlackOptions = WebhookOptions;

const LINES_MAX = 20;
const FIELD_LENGTH_MAX = 2_900;
const COLORS = { info: "#2b7de9", warning: "#d98e04", critical: "#c62828" } as const;
const RESOLVED_COLOR = "#2e7d32";

/** Posts each message in the form of Slack's incoming webhooks, which Mattermost and Rocket.Chat read too. */
export function slack(options: SlackOptions): AlertHandler {
  const post = poster("slack", options);
  return async function slack(alert, context) {
    await post(slackMessage(alert), context?.signal);
  };
}

/**
 * A message as Slack's incoming webhooks take it: `text` for notifications, blocks for the page.
 * https://api.slack.com/messaging/webhooks, https://api.slack.com/reference/block-kit/blocks
 */
export function slackMessage(alert: Alert): Readonly<Record<string, unknown>> {
  const { state, level, rule, message, count, alerts, runbook, repeat } = alert;
  const title = `${state === "firing" ? level.toUpperCase() : "RESOLVED"}: ${rule}`;
  const again = state === "firing" && repeat > 0 ? ` (message ${repeat + 1})` : "";
  const blocks = [section(`*${escaped(title)}*${again}\n${escaped(message)}`)];
  if (count > 1) blocks.push(section(listed(alerts, count)));
  if (runbook !== undefined) blocks.push(section(`Runbook: ${escaped(runbook)}`));
  const color = state === "firing" ? COLORS[level] : RESOLVED_COLOR;
  return { text: escaped(`${title}: ${message}`), attachments: [{ color, blocks }] };
}

function section(text: string) {
  return { type: "section", text: { type: "mrkdwn", text: text.slice(0, FIELD_LENGTH_MAX) } };
}

function listed(alerts: readonly AlertFacts[], count: number): string {
  const lines = alerts.slice(0, LINES_MAX).map(lineOf);
  const more = count - lines.length;
  return [...lines, ...(more > 0 ? [`and ${more} more`] : [])].join("\n");
}

function lineOf({ rule, labels, value }: AlertFacts): string {
  const where = Object.entries(labels).map(([key, text]) => `${key}=${text}`);
  const what = value === undefined ? rule : `${rule} ${Number(value.toPrecision(4))}`;
  return escaped(`- ${[what, ...where].join(" ")}`);
}

// Labels are the user's own words: they must not become mentions or links.
function escaped(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
}
