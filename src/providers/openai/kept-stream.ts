import type { KeptAnswer, ReplyHead, StreamRecord } from "../../core/index.ts";
import { EventPacker } from "../packed-events/index.ts";
import { eventData } from "../sse.ts";
import { keptHead } from "./kept-head.ts";

/** Random padding against listeners on the network. Within a string the quotation marks would be escaped. */
const PADDING = /,"obfuscation":"[A-Za-z0-9]*"(?=[,}])/;
/** Events that have nothing of the caller's in them, where `obfuscation` could be a name of theirs. */
const PADDED = /"object":"chat\.completion\.chunk"|"type":"response\.[a-z_.]*\.delta"/;

/** Takes the events of a stream down while they pass, without comments and padding. */
export class EventRecord implements StreamRecord {
  readonly #packer = new EventPacker();
  #hasEvents = false;
  #readable = true;

  get size(): number {
    return this.#packer.size;
  }

  add(value: unknown): void {
    if (typeof value !== "string") {
      this.#readable = false;
    } else if (hasData(value)) {
      this.#hasEvents = true;
      this.#packer.add(withoutPadding(value));
    }
  }

  keep(head: ReplyHead): KeptAnswer | undefined {
    if (!this.#readable || !this.#hasEvents) return undefined;
    return { form: "events", text: this.#packer.finish(), head: keptHead(head) };
  }
}

function hasData(event: string): boolean {
  return event.startsWith("data:") || eventData(event).data !== undefined;
}

function withoutPadding(event: string): string {
  return event.includes(',"obfuscation":"') && PADDED.test(event) ? event.replace(PADDING, "") : event;
}
