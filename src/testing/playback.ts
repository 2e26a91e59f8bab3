import type { AnswerWriter } from "./answer-writer.ts";
import type { Answer } from "./answers.ts";
import type { Exchange } from "./exchange.ts";
import { jsonReply, SERVER_ERROR } from "./provider-errors.ts";
import type { ReadFault } from "./provider-faults.ts";

/** An answer that is about to be given. */
export interface Playback {
  readonly writer: AnswerWriter;
  readonly answer: Answer;
  readonly stream: boolean;
  readonly firstTokenMs: number;
  /** Milliseconds to the next token, drawn anew each time. */
  readonly gap: () => number;
  /** The headers of its reply, told when the head leaves. */
  readonly headers: () => Readonly<Record<string, string>>;
  readonly fault: ReadFault | undefined;
}

const EVENT_STREAM = "text/event-stream; charset=utf-8";
const BROKEN_LINE = 'data: {"id":"chatcmpl-\n\n';

/** Gives the answer in time: as a stream of tokens, or whole when its last token would have come. */
export function play(exchange: Exchange, playback: Playback): void {
  const { fault, firstTokenMs } = playback;
  if (fault?.kind === "silent" || fault?.kind === "keepaliveOnly") stall(exchange, playback, fault);
  else exchange.after(firstTokenMs, () => begin(exchange, playback));
}

function begin(exchange: Exchange, playback: Playback): void {
  const { writer, answer, stream, gap, fault } = playback;
  if (fault?.kind === "errorBeforeContent" && stream) sendOnly(exchange, playback, writer.failure(SERVER_ERROR));
  else if (fault?.kind === "badJson" && stream) sendOnly(exchange, playback, BROKEN_LINE);
  else {
    exchange.decode();
    let due = exchange.work;
    for (let token = 0; token < answer.reasoningTokens; token++) due += gap();
    // The first token is there when the prompt has been read: only the others take time.
    if (!stream) for (let token = 1; token < answer.steps; token++) due += gap();
    exchange.atWork(due, () => (stream ? sendTokens(exchange, playback, due) : sendWhole(exchange, playback)));
  }
}

function sendTokens(exchange: Exchange, playback: Playback, firstDue: number): void {
  const { writer, answer, fault, gap } = playback;
  let due = firstDue;
  let index = 0;
  const spoilAt = Math.min(fault?.afterChunks ?? Number.POSITIVE_INFINITY, answer.steps);
  exchange.entry.outputTokens = answer.reasoningTokens;
  openStream(exchange, playback);
  exchange.write(writer.opening());
  const step = (): void => {
    // All that is due now, so that a timer that comes late is caught up with.
    while (!exchange.over && due <= exchange.work) {
      if (index === spoilAt) spoil(exchange, playback);
      if (exchange.over) break;
      if (index < answer.steps) exchange.write(writer.step(index));
      else exchange.end(writer.closing());
      for (const { pieces } of answer.choices) if (index < pieces.length) exchange.entry.outputTokens++;
      index++;
      // The closing events follow the last token at once.
      if (index < answer.steps) due += gap();
    }
    if (!exchange.over) exchange.atWork(due, step);
  };
  step();
}

/** Plays a fault of the middle of a stream, if there is one. */
function spoil(exchange: Exchange, { writer, fault }: Playback): void {
  if (fault?.kind === "reset") exchange.break("reset");
  else if (fault?.kind === "cut") exchange.end();
  else if (fault?.kind === "cutWithError") exchange.end(writer.failure(SERVER_ERROR));
  else if (fault?.kind === "malformedEvent") exchange.write(BROKEN_LINE);
}

function sendWhole(exchange: Exchange, { writer, answer, fault, headers }: Playback): void {
  exchange.entry.outputTokens = answer.outputTokens;
  const reply = jsonReply(200, writer.whole(), headers());
  const half = reply.body.slice(0, Math.ceil(reply.body.length / 2));
  if (fault?.kind === "reset") {
    exchange.head(200, { ...reply.headers, "content-length": String(Buffer.byteLength(reply.body)) });
    exchange.write(half);
    exchange.break("reset");
  } else if (fault?.kind === "cutWithError" || fault?.kind === "errorBeforeContent")
    exchange.reply(jsonReply(200, { error: SERVER_ERROR }, headers()));
  else if (fault?.kind === "cut" || fault?.kind === "badJson" || fault?.kind === "malformedEvent")
    exchange.reply({ ...reply, body: half });
  else exchange.reply(reply);
}

/** A stream of which this is all. */
function sendOnly(exchange: Exchange, playback: Playback, events: string): void {
  openStream(exchange, playback);
  exchange.end(events);
}

/** The head, and nothing that anybody waits for, until the client goes away. */
function stall(exchange: Exchange, playback: Playback, fault: ReadFault): void {
  if (playback.stream) openStream(exchange, playback);
  else exchange.head(200, { ...playback.headers(), "content-type": "application/json" });
  exchange.flush();
  if (fault.kind === "silent") return;
  const next = (): void => {
    exchange.write(playback.stream ? ": keep-alive\n\n" : "\n");
    exchange.after(fault.everyMs, next);
  };
  exchange.after(fault.everyMs, next);
}

function openStream(exchange: Exchange, { headers }: Playback): void {
  exchange.head(200, { ...headers(), "content-type": EVENT_STREAM, "cache-control": "no-cache" });
}
