const LF = 10;
const CR = 13;

/**
 * Cuts the text of a server-sent event stream into its events. Lines end with LF, CRLF or CR; an event ends with a
 * blank line. Each event is given raw, terminator included, so that all of them and the rest joined are the input.
 *
 * Every character is looked at once, however small the pieces are that arrive.
 * Source: https://html.spec.whatwg.org/multipage/server-sent-events.html#event-stream-interpretation
 */
export class EventSplitter {
  #pending = "";
  #lineIsBlank = true;
  /** The last character was a CR; a LF would belong to it. */
  #afterCr = false;
  /** That CR ended an event, which waits to see whether a LF follows. */
  #held = false;

  /** Takes the next text and gives the events that are complete with it. */
  push(text: string): string[] {
    const events: string[] = [];
    const onlyLf = !text.includes("\r");
    let start = 0;
    const emit = (end: number): void => {
      events.push(this.#pending + text.slice(start, end));
      this.#pending = "";
      start = end;
      this.#held = false;
    };
    for (let at = 0; at < text.length; at++) {
      const code = text.charCodeAt(at);
      const joinsCr = this.#afterCr && code === LF;
      this.#afterCr = code === CR;
      if (this.#held) emit(joinsCr ? at + 1 : at);
      if (joinsCr) continue;
      if (code === LF) {
        if (this.#lineIsBlank) emit(at + 1);
        this.#lineIsBlank = true;
      } else if (code === CR) {
        this.#held = this.#lineIsBlank;
        this.#lineIsBlank = true;
      } else {
        this.#lineIsBlank = false;
        if (onlyLf) at = lineEnd(text, at) - 1;
      }
    }
    this.#pending += text.slice(start);
    return events;
  }

  /** What is left when the stream has closed: usually nothing. The splitter can be used again. */
  flush(): string {
    const rest = this.#pending;
    this.#pending = "";
    this.#lineIsBlank = true;
    this.#afterCr = false;
    this.#held = false;
    return rest;
  }
}

function lineEnd(text: string, from: number): number {
  const at = text.indexOf("\n", from);
  return at < 0 ? text.length : at;
}

/** The name and the data of one raw event; both `undefined` for comments and blank lines. */
export function eventData(raw: string): { event: string | undefined; data: string | undefined } {
  let event: string | undefined;
  let data: string | undefined;
  for (const line of linesOf(raw)) {
    const colon = line.indexOf(":");
    const field = colon < 0 ? line : line.slice(0, colon);
    if (field !== "data" && field !== "event") continue;
    const value = colon < 0 ? "" : line.slice(line.charAt(colon + 1) === " " ? colon + 2 : colon + 1);
    if (field === "event") event = value;
    else data = data === undefined ? value : `${data}\n${value}`;
  }
  return { event, data };
}

function linesOf(raw: string): string[] {
  const text = raw.startsWith("\uFEFF") ? raw.slice(1) : raw;
  return text.includes("\r") ? text.split(/\r\n|\r|\n/) : text.split("\n");
}
