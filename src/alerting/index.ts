/**
 * Where alerts go: handlers for `monitor.alerts.notify` and the option `monitor.handlers`.
 *
 * @module
 */
export { type ConsoleHandlerOptions, consoleHandler } from "./console.ts";
export { type SlackOptions, slack, slackMessage } from "./slack.ts";
export { WebhookError, type WebhookOptions, webhook } from "./webhook.ts";
