import type { Wire } from "../../src/core/index.ts";
import { jsonWire } from "./calls.ts";

/** A wire whose requests are `{ input, ...context }`: a question when `input` is a text. */
export const questionWire: Wire = {
  ...jsonWire,
  question({ request }) {
    const { input, turns = 1, ...context } = request as { input?: unknown; turns?: number };
    return typeof input === "string" ? { text: input, context, turns } : undefined;
  },
  answerText: (_call, { text }) => String(JSON.parse(text)),
};
