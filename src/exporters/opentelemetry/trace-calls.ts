import { type Context, context, type Span, SpanKind, SpanStatusCode, type Tracer, trace } from "@opentelemetry/api";
import { type BreakwaterEvent, type EventType, integerIn, knownKeys, OptionError } from "../../core/index.ts";
import type { Optimizer } from "../../optimizer.ts";
import { OpenSpans } from "./open-spans.ts";
import { attemptAttributes, attemptEndAttributes, endAttributes, startAttributes } from "./span-attributes.ts";

export interface TraceOptions {
  /** Where spans begin. */
  readonly tracer: Tracer;
  /** Calls, and attempts, whose spans are open at a time; over it the oldest is ended early. Default 10,000. */
  readonly maxOpen?: number;
}

export const TRACE_DEFAULTS = { maxOpen: 10_000 } as const;

interface CallSpan {
  readonly span: Span;
  /** That of the caller, with the span. */
  readonly context: Context;
}

/** What happens between the attempts of a call, noted on its span. */
const NOTED = ["retry.scheduled", "fallback.used", "hedge.started", "timeout.fired", "stream.interrupted"] as const;

/**
 * One span a call, of kind CLIENT and within the span that is active where the call is made, and one within it for each
 * attempt at the provider. Gives back how to stop. Throws `OptionError`.
 *
 * Source: OpenTelemetry semantic conventions for generative AI, client spans.
 */
export function traceCalls(optimizer: Pick<Optimizer, "on">, options: TraceOptions): () => void {
  const { tracer, maxOpen } = readOptions(options);
  const calls = new OpenSpans<CallSpan>(maxOpen, ({ span }) => span);
  const attempts = new OpenSpans<Span>(maxOpen, (span) => span);

  const end = (event: BreakwaterEvent<"call.completed" | "call.failed" | "call.cancelled">): void => {
    const span = calls.take(event.callId)?.span;
    if (span === undefined) return;
    if (span.isRecording()) span.setAttributes(endAttributes(event));
    if (event.type === "call.failed") failed(span, event.errorType);
    span.end();
  };
  const endAttempt = (event: BreakwaterEvent<"attempt.completed" | "attempt.failed">): void => {
    const span = attempts.take(attemptKey(event));
    if (span === undefined) return;
    if (span.isRecording()) span.setAttributes(attemptEndAttributes(event));
    if (event.type === "attempt.failed" && event.errorType !== "aborted") {
      span.setStatus({ code: SpanStatusCode.ERROR });
    }
    span.end();
  };

  const stops = [
    optimizer.on("call.started", (event) => {
      // Sent while the code that makes the call is running, so that what is active now is the caller's.
      const caller = context.active();
      const attributes = startAttributes(event);
      const span = tracer.startSpan(`${event.op} ${event.model}`, { kind: SpanKind.CLIENT, attributes }, caller);
      calls.add(event.callId, { span, context: trace.setSpan(caller, span) });
    }),
    optimizer.on("attempt.started", (event) => {
      // One without a call, such as a refresh of the cache after its call has ended, belongs to whoever brought it about.
      const parent = calls.get(event.callId)?.context ?? context.active();
      const attributes = attemptAttributes(event);
      attempts.add(attemptKey(event), tracer.startSpan("attempt", { kind: SpanKind.INTERNAL, attributes }, parent));
    }),
    ...NOTED.map((type) =>
      optimizer.on(type, (event: BreakwaterEvent) => {
        const span = calls.get(event.callId)?.span;
        if (span?.isRecording()) span.addEvent(event.type, payloadOf(event));
      }),
    ),
    optimizer.on("attempt.completed", endAttempt),
    optimizer.on("attempt.failed", endAttempt),
    optimizer.on("call.completed", end),
    optimizer.on("call.failed", end),
    optimizer.on("call.cancelled", end),
  ];

  return () => {
    for (const stop of stops) stop();
    attempts.endAll();
    calls.endAll();
  };
}

function readOptions(options: TraceOptions) {
  knownKeys("traceCalls", options, ["tracer", "maxOpen"]);
  const { tracer } = options;
  if (typeof tracer?.startSpan !== "function") {
    throw new OptionError("traceCalls.tracer", tracer, "a tracer of OpenTelemetry, such as trace.getTracer(name)");
  }
  const maxOpen = integerIn("traceCalls.maxOpen", options.maxOpen ?? TRACE_DEFAULTS.maxOpen, 1, 1_000_000);
  return { tracer, maxOpen };
}

function attemptKey({ callId, attempt }: { callId: string | undefined; attempt: number }): string {
  return `${callId} ${attempt}`;
}

// The type stands in for a message, which may repeat what a trace must not carry.
function failed(span: Span, errorType: string): void {
  span.setStatus({ code: SpanStatusCode.ERROR, message: errorType });
  span.addEvent("exception", { "exception.type": errorType });
}

const ENVELOPE: ReadonlySet<string> = new Set(["v", "type", "ts", "severity", "callId", "op", "provider", "model"]);

function payloadOf(event: BreakwaterEvent<EventType>): Record<string, string | number | boolean> {
  const entries = Object.entries(event as object as Record<string, unknown>);
  return Object.fromEntries(
    entries.filter(
      (entry): entry is [string, string | number | boolean] =>
        !ENVELOPE.has(entry[0]) && ["string", "number", "boolean"].includes(typeof entry[1]),
    ),
  );
}
