import { digestOf } from "./chance.ts";
import { jsonReply, notFound, type PlainReply } from "./provider-errors.ts";

const DEFAULT_MODELS = ["gpt-4o-mini"];

/** The endpoints that are there only so that a client can call them: models and files. Anything else is a 404. */
export function sideReply(
  method: string,
  path: string,
  body: string,
  models: readonly string[] = DEFAULT_MODELS,
): PlainReply {
  const [, name, id] = /\/(models|files)(?:\/([^/]+))?$/.exec(path) ?? [];
  if (name === "models" && method === "GET") {
    if (id === undefined) return jsonReply(200, { object: "list", data: models.map(modelOf) });
    if (models.includes(id)) return jsonReply(200, modelOf(id));
    return notFound(`The model '${id}' does not exist`, "model_not_found");
  }
  if (name === "files" && id === undefined) {
    if (method === "GET") return jsonReply(200, { object: "list", data: [], has_more: false });
    if (method === "POST") return jsonReply(200, fileOf(body));
  }
  return notFound(`Invalid URL (${method} ${path})`, null);
}

function modelOf(id: string) {
  return { id, object: "model", created: 0, owned_by: "simulated" };
}

function fileOf(body: string) {
  const id = `file-${digestOf("file", body)}`;
  const bytes = Buffer.byteLength(body);
  return { id, object: "file", bytes, created_at: 0, filename: "upload", purpose: "user_data", status: "processed" };
}
