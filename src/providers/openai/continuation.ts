import { type Call, type Chunk, type Continuation, StreamInterruptedError } from "../../core/index.ts";
import { contentEvent, contentTextOf } from "./content-text.ts";
import { objectOf, objectsIn } from "./json.ts";

const INSTRUCTION =
  "Your last message was cut off. Go on exactly where it stops: repeat nothing of it, and do not mention this request.";
/** So much of the rest is compared with what was said before. */
const COMPARED_CHARS = 200;
/** Fewer characters may be the same by chance. */
const REPEATED_CHARS_MIN = 12;
const BEGINNING_CHARS = 40;
const CHARS_PER_TOKEN = 4;
const OUTPUT_LIMITS = ["max_completion_tokens", "max_tokens"] as const;

/**
 * Asks a chat model for the rest of an answer: what was said comes back to it as its own message, with an instruction to
 * go on. `undefined` for other operations, several choices, or nothing said yet.
 */
export function continuationOf(call: Call, text: string): Continuation | undefined {
  const request = objectOf(call.request);
  const { messages, n = 1 } = request;
  if (call.operation !== "chat" || !Array.isArray(messages) || n !== 1 || text === "") return undefined;
  const rest = new Rest(call, text);
  return {
    call: call.with({
      request: {
        ...request,
        ...withoutSpent(request, text),
        messages: [...messages, { role: "assistant", content: text }, { role: "user", content: INSTRUCTION }],
      },
      inputChars: call.inputChars + text.length + INSTRUCTION.length,
    }),
    accept: (chunk) => rest.accept(chunk),
  };
}

// The answer as a whole keeps to the limit that the caller has set.
function withoutSpent(request: Readonly<Record<string, unknown>>, text: string): Record<string, number> {
  const left: Record<string, number> = {};
  for (const name of OUTPUT_LIMITS) {
    const limit = request[name];
    if (typeof limit === "number") left[name] = Math.max(1, limit - Math.ceil(text.length / CHARS_PER_TOKEN));
  }
  return left;
}

/** The rest as the reader of the first part gets it. */
class Rest {
  readonly #call: Call;
  readonly #before: string;
  /** Events of content whose text is being compared; `undefined` once that is done. */
  #compared: string[] | undefined = [];
  #head = "";

  constructor(call: Call, before: string) {
    this.#call = call;
    this.#before = before;
  }

  accept(chunk: Chunk): readonly Chunk[] {
    if (chunk.role === "preamble") return [];
    if (this.#compared === undefined) return [chunk];
    if (chunk.role !== "content") return [...this.#release(), chunk];
    const text = contentTextOf(this.#call, chunk.value);
    // What cannot be compared, such as a tool call, may stand in for what was said, or repeat it.
    if (text === undefined) throw new StreamInterruptedError("The rest of the answer is no plain text.");
    this.#compared.push(chunk.value as string);
    this.#head += text;
    return this.#head.length < COMPARED_CHARS ? [] : this.#release();
  }

  /** What is new of the events that were held back, as one event. */
  #release(): Chunk[] {
    const last = this.#compared?.at(-1);
    this.#compared = undefined;
    const repeated = overlap(this.#before, this.#head);
    if (repeated === 0 && beginsAnew(this.#before, this.#head)) {
      throw new StreamInterruptedError("The model began its answer anew instead of going on.");
    }
    const fresh = this.#head.slice(repeated);
    return last === undefined || fresh === "" ? [] : [{ role: "content", value: withContent(last, fresh) }];
  }
}

/** How many characters the end of `before` and the beginning of `after` share; few are taken for none. */
function overlap(before: string, after: string): number {
  for (let length = Math.min(before.length, after.length); length >= REPEATED_CHARS_MIN; length--) {
    if (before.endsWith(after.slice(0, length))) return length;
  }
  return 0;
}

function beginsAnew(before: string, after: string): boolean {
  const length = Math.min(before.length, after.length, BEGINNING_CHARS);
  return length >= REPEATED_CHARS_MIN && before.startsWith(after.slice(0, length));
}

function withContent(event: string, content: string): string {
  const data = contentEvent(event);
  const [choice] = objectsIn(data["choices"]);
  const changed = { ...data, choices: [{ ...choice, delta: { ...objectOf(choice?.["delta"]), content } }] };
  return `data: ${JSON.stringify(changed)}\n\n`;
}
