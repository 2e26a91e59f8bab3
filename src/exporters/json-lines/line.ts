import type { BreakwaterEvent, Severity } from "../../core/index.ts";

/** Pino's numbers. */
export const LEVELS: Readonly<Record<Severity, number>> = { debug: 20, info: 30, warning: 40, error: 50 };

/** What is written of an event. */
export interface LogRecord {
  readonly severity: Severity;
  /** Milliseconds since the Unix epoch. */
  readonly time: number;
  readonly message: string;
  readonly fields: Readonly<Record<string, unknown>>;
}

const ALERT_SEVERITIES = { info: "info", warning: "warning", critical: "error" } as const;

// A field of an event that Pino has too takes the event's first word: `alertLevel`, `budgetName`.
const TAKEN: ReadonlySet<string> = new Set(["level", "time", "name", "msg", "pid", "hostname", "event", "err"]);

export function recordOf(event: BreakwaterEvent): LogRecord {
  const { v: _v, type, ts, severity: _severity, callId, op, provider, model, ...payload } = event;
  const fields: Record<string, unknown> = { event: type, callId, op, provider, model };
  for (const [key, value] of Object.entries(payload)) fields[TAKEN.has(key) ? renamed(type, key) : key] = value;
  return { severity: severityOf(event), time: ts, message: messageOf(event), fields };
}

/** One line as Pino writes it, without its process id and host name. */
export function lineOf(name: string, { severity, time, message, fields }: LogRecord): string {
  return `${JSON.stringify({ level: LEVELS[severity], time, name, msg: message, ...fields })}\n`;
}

function severityOf(event: BreakwaterEvent): Severity {
  if (event.type !== "alert") return event.severity;
  return event.state === "resolved" ? "info" : ALERT_SEVERITIES[event.level];
}

function messageOf(event: BreakwaterEvent): string {
  if (event.type === "alert" || event.type === "lint.finding") return event.message;
  return event.type.replace(/[._]/g, " ");
}

function renamed(type: string, key: string): string {
  return `${type.split(".")[0]}${key[0]?.toUpperCase()}${key.slice(1)}`;
}
