const NUMBERS = ["page", "perPage", "from", "to", "minCost"];

/** The parameters of a request as the query of a call log, which judges them: a repeated one is a list. */
export function callQuery(params: URLSearchParams): Readonly<Record<string, unknown>> {
  const query: Record<string, unknown> = {};
  for (const key of new Set(params.keys())) {
    const values = params.getAll(key).map((text) => read(key, text));
    Object.defineProperty(query, key, { value: values.length === 1 ? values[0] : values, enumerable: true });
  }
  return query;
}

function read(key: string, text: string): unknown {
  if (key === "stream" && (text === "true" || text === "false")) return text === "true";
  const isNumber = NUMBERS.includes(key) || (key === "minDuration" && /^\d+(\.\d+)?$/.test(text));
  return isNumber && text !== "" ? Number(text) : text;
}
