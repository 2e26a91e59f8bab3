import { isFilled, type JsonObject, objectsIn } from "./json.ts";
import { textPieces } from "./text-pieces.ts";

type Event = readonly [type: string, fields: JsonObject];

/** How a text is told: the name of its events, and the field that has it. */
type TextPlace = readonly [name: string, field: string];

/** The texts of parts. */
const PART_TEXTS: ReadonlyMap<unknown, TextPlace> = new Map([
  ["output_text", ["output_text", "text"]],
  ["refusal", ["refusal", "refusal"]],
  ["reasoning_text", ["reasoning_text", "text"]],
]);

/** The texts of items: what a tool is called with. */
const ITEM_TEXTS: ReadonlyMap<unknown, TextPlace> = new Map([
  ["function_call", ["function_call_arguments", "arguments"]],
  ["custom_tool_call", ["custom_tool_call_input", "input"]],
]);

/** The events of the stream in which a whole response might have come; the last one has it exactly as it is. */
export function splitResponse(response: JsonObject): string[] {
  const started = { ...response, status: "in_progress", completed_at: null, output: [], usage: null };
  const { output_text: _, ...snapshot } = started as JsonObject;
  const events: Event[] = [
    ["response.created", { response: snapshot }],
    ["response.in_progress", { response: snapshot }],
    ...objectsIn(response["output"]).flatMap(itemEvents),
    ["response.completed", { response }],
  ];
  return events.map(
    ([type, fields], index) =>
      `event: ${type}\ndata: ${JSON.stringify({ type, ...fields, sequence_number: index })}\n\n`,
  );
}

function itemEvents(item: JsonObject, output_index: number): Event[] {
  const place = { item_id: item["id"], output_index };
  return [
    ["response.output_item.added", { output_index, item: emptied(item) }],
    ...objectsIn(item["summary"]).flatMap((part, index) => summaryEvents(part, { ...place, summary_index: index })),
    ...objectsIn(item["content"]).flatMap((part, index) => partEvents(part, { ...place, content_index: index })),
    ...textEvents(ITEM_TEXTS.get(item["type"]), item, place),
    ["response.output_item.done", { output_index, item }],
  ];
}

function emptied(item: JsonObject): JsonObject {
  const empty = { ...item };
  if (item["type"] === "message" || isFilled(item["content"])) empty["content"] = [];
  if (isFilled(item["summary"])) empty["summary"] = [];
  const text = ITEM_TEXTS.get(item["type"]);
  if (text !== undefined) empty[text[1]] = "";
  if ("status" in item) empty["status"] = "in_progress";
  return empty;
}

function summaryEvents(part: JsonObject, place: JsonObject): Event[] {
  return [
    ["response.reasoning_summary_part.added", { ...place, part: { ...part, text: "" } }],
    ...textEvents(["reasoning_summary_text", "text"], part, place),
    ["response.reasoning_summary_part.done", { ...place, part }],
  ];
}

function partEvents(part: JsonObject, place: JsonObject): Event[] {
  const text = PART_TEXTS.get(part["type"]);
  const empty = { ...part, ...(text !== undefined && { [text[1]]: "" }), ...emptyLists(part) };
  const logprobs = part["type"] === "output_text" ? { logprobs: part["logprobs"] ?? [] } : {};
  return [
    ["response.content_part.added", { ...place, part: empty }],
    ...textEvents(text, part, { ...place, ...logprobs }),
    ["response.content_part.done", { ...place, part }],
  ];
}

function emptyLists(part: JsonObject): JsonObject {
  return Object.fromEntries(
    Object.entries(part)
      .filter(([, value]) => Array.isArray(value))
      .map(([field]) => [field, []]),
  );
}

function textEvents(text: TextPlace | undefined, holder: JsonObject, place: JsonObject): Event[] {
  if (text === undefined) return [];
  const [name, field] = text;
  const value = holder[field];
  // Log probabilities stand beside the text that they are of.
  const pieces = typeof value === "string" && !isFilled(place["logprobs"]) ? textPieces(value) : [value];
  const deltas = pieces.filter(isFilled).map((delta): Event => [`response.${name}.delta`, { ...place, delta }]);
  return [...deltas, [`response.${name}.done`, { ...place, [field]: value }]];
}
