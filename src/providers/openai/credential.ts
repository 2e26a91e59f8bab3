import { secretName } from "../../core/index.ts";

const SECRETS = ["authorization", "api-key", "x-api-key", "x-goog-api-key", "ocp-apim-subscription-key"];
/** What one secret may be used for in several ways, each with limits and answers of its own. */
const ACCOUNTS = ["openai-organization", "openai-project"];

/** The headers that `readCredential` reads. */
export const CREDENTIAL_HEADERS: readonly string[] = [...SECRETS, ...ACCOUNTS];

/** A one-way name for who asks; `anonymous` without a credential and an account. */
export function readCredential(headers: Headers): string {
  const told = CREDENTIAL_HEADERS.map((name) => headers.get(name));
  return told.every((value) => value === null || value === "") ? "anonymous" : secretName(JSON.stringify(told));
}
