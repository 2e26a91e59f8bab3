import { type Batch, type Call, nextTurn, type Reply, type ServedBy, valueReply, whole } from "../../core/index.ts";
import { asksForBase64, type EmbeddingInput, embeddingInputs, givesFloats } from "./embedding-request.ts";
import { packedVector, vectorNumbers } from "./embedding-vector.ts";
import { isObject, type JsonObject, objectOf, objectsIn, parseJson } from "./json.ts";
import { readUsage } from "./usage.ts";

/** Headers that do not fit a body which is put together from others. */
const OF_ANOTHER_BODY: ReadonlySet<string> = new Set(["content-length", "content-encoding", "etag", "content-md5"]);

/** Takes an embeddings call of several inputs apart. `undefined` for any other call. */
export function embeddingBatch(call: Call): Batch | undefined {
  if (call.operation !== "embeddings" || call.stream) return undefined;
  const request = objectOf(call.request);
  const given = embeddingInputs(request);
  if (given === undefined) return undefined;
  const { inputs, places } = distinct(given);
  const floats = givesFloats(request);
  // Packed, the form in which it is kept, so that nothing is converted twice.
  const form = floats ? { ...request, encoding_format: "base64" } : request;
  return {
    parts: inputs.map((input) => call.with({ request: { ...form, input }, inputChars: charsIn(input) })),
    ask(like, indexes) {
      if (indexes.length === given.length) return like.with({ request, inputChars: call.inputChars });
      const input = indexes.map((index) => inputs[index] as EmbeddingInput);
      return like.with({ request: { ...request, input }, inputChars: sum(input.map(charsIn)) });
    },
    divide(reply, indexes) {
      const sizes = indexes.map((index) => inputs[index]?.length ?? 0);
      return divided(reply, sizes, floats);
    },
    join(replies) {
      const all = places.map((index) => replies[index] as Reply);
      return joined(all, floats && !asksForBase64(request));
    },
  };
}

/** Each input once, and for every place of the request which one stands there. */
function distinct(given: readonly EmbeddingInput[]): { inputs: readonly EmbeddingInput[]; places: readonly number[] } {
  const indexes = new Map<string, number>();
  const inputs: EmbeddingInput[] = [];
  const places = given.map((input) => {
    const key = typeof input === "string" ? input : input.join();
    const index = indexes.get(key) ?? inputs.push(input) - 1;
    indexes.set(key, index);
    return index;
  });
  return { inputs, places };
}

const TOKEN_CHARS = 4;

function charsIn(input: EmbeddingInput): number {
  return typeof input === "string" ? input.length : input.length * TOKEN_CHARS;
}

/** A whole answer to each input of `reply`, the vectors packed. The usage is shared out by the sizes of the inputs. */
async function divided(reply: Reply, sizes: readonly number[], floats: boolean): Promise<readonly Reply[] | undefined> {
  const body = bodyOf(reply);
  const items = body && itemsInOrder(body, sizes.length);
  if (body === undefined || items === undefined) return undefined;
  const usages = sharedOut(body["usage"], sizes);
  const { model, storable = false } = reply.settled.value ?? {};
  const pace = new Pace();
  const replies: Reply[] = [];
  for (const [index, item] of items.entries()) {
    const embedding = (floats ? packedVector(item["embedding"]) : undefined) ?? item["embedding"];
    const usage = usages?.[index];
    const text = JSON.stringify({ ...body, data: [{ ...item, index: 0, embedding }], usage });
    const settlement = whole({ storable, usage: readUsage(usage), model });
    replies.push(valueReply(text, settlement, reply.head, reply.servedBy));
    await pace.after(text.length);
  }
  return replies;
}

/** The answers as one, in order. */
async function joined(replies: readonly Reply[], asNumbers: boolean): Promise<Reply | undefined> {
  const items: string[] = [];
  const usages: JsonObject[] = [];
  const pace = new Pace();
  let first: JsonObject | undefined;
  for (const [index, reply] of replies.entries()) {
    const body = bodyOf(reply);
    const item = objectsIn(body?.["data"])[0];
    if (body === undefined || item === undefined) return undefined;
    first ??= body;
    if (isObject(body["usage"])) usages.push(body["usage"]);
    const embedding = (asNumbers ? vectorNumbers(item["embedding"]) : undefined) ?? item["embedding"];
    const text = JSON.stringify({ ...item, index, embedding });
    items.push(text);
    await pace.after(text.length);
  }
  // With one that is not known the sum would be none.
  const usage = usages.length === replies.length ? summed(usages) : undefined;
  return joinedReply(replies, bodyText(first ?? {}, items, usage));
}

// The items are text already: they may be millions of numbers.
function bodyText(body: JsonObject, items: readonly string[], usage: JsonObject | undefined): string {
  const members = Object.entries(usage === undefined ? body : { ...body, usage }).map(([name, value]) => {
    return `${JSON.stringify(name)}:${name === "data" ? `[${items.join(",")}]` : JSON.stringify(value)}`;
  });
  return `{${members.join(",")}}`;
}

function joinedReply(replies: readonly Reply[], text: string): Reply {
  const parts = [...new Set(replies)];
  const asked = parts.filter(({ servedBy }) => servedBy !== "cache");
  const [leading] = [...asked, ...parts] as [Reply, ...Reply[]];
  const settlements = parts.map(({ settled }) => settled.value);
  const settlement = whole({
    storable: settlements.every((one) => one?.storable === true),
    // What was spent now; where nothing was, what was spent then.
    usage: tokensOf(asked.length > 0 ? asked : replies),
    model: leading.settled.value?.model,
  });
  const headers = leading.head.headers.filter(([name]) => !OF_ANOTHER_BODY.has(name.toLowerCase()));
  return valueReply(text, settlement, { ...leading.head, headers }, servedByOf(asked));
}

function servedByOf(asked: readonly Reply[]): ServedBy {
  if (asked.length === 0) return "cache";
  return asked.some(({ servedBy }) => servedBy === "upstream") ? "upstream" : "coalesced";
}

function tokensOf(replies: readonly Reply[]): { inputTokens: number; outputTokens: number } | undefined {
  const usages = replies.map(({ settled }) => settled.value?.usage).filter((usage) => usage !== undefined);
  if (usages.length < replies.length) return undefined;
  return {
    inputTokens: sum(usages.map(({ inputTokens }) => inputTokens)),
    outputTokens: sum(usages.map(({ outputTokens }) => outputTokens)),
  };
}

function bodyOf({ body }: Reply): JsonObject | undefined {
  const parsed = body.kind === "value" && typeof body.value === "string" ? parseJson(body.value) : undefined;
  return isObject(parsed) ? parsed : undefined;
}

/** The items by their index; by their place where they have none. `undefined` unless there is one for each input. */
function itemsInOrder(body: JsonObject, count: number): readonly JsonObject[] | undefined {
  const items = objectsIn(body["data"]);
  if (items.length !== count) return undefined;
  if (items.every(({ index }) => index === undefined)) return items;
  const ordered = Array.from<JsonObject | undefined>({ length: count });
  for (const item of items) {
    const { index } = item;
    if (typeof index !== "number" || !(index in ordered) || ordered[index] !== undefined) return undefined;
    ordered[index] = item;
  }
  return ordered as JsonObject[];
}

/** Each number of a usage in shares of whole tokens that add up to it again. */
function sharedOut(usage: unknown, sizes: readonly number[]): readonly JsonObject[] | undefined {
  if (!isObject(usage)) return undefined;
  const counts = Object.entries(usage).filter((entry): entry is [string, number] => Number.isSafeInteger(entry[1]));
  const all = sum(sizes) || 1;
  let before = 0;
  return sizes.map((size) => {
    const from = before;
    before += size;
    const upTo = (count: number, place: number): number => Math.round((count * place) / all);
    return Object.fromEntries(counts.map(([name, count]) => [name, upTo(count, before) - upTo(count, from)]));
  });
}

const CHARS_A_TURN = 500_000;

/** Lets others have their turn after so much text. */
class Pace {
  #chars = 0;

  after(chars: number): Promise<void> | undefined {
    this.#chars += chars;
    if (this.#chars < CHARS_A_TURN) return undefined;
    this.#chars = 0;
    return nextTurn();
  }
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}

function summed(usages: readonly JsonObject[]): JsonObject {
  const total: Record<string, number> = {};
  for (const usage of usages) {
    for (const [name, count] of Object.entries(usage)) {
      if (typeof count === "number") total[name] = (total[name] ?? 0) + count;
    }
  }
  return total;
}
