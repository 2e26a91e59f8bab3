import OpenAI from "openai";
import { wrapClient } from "../../../src/clients/index.ts";
import { type Line, type Policy, pipeline, type RefusedError, refusal } from "../../../src/core/index.ts";
import type { Server } from "./server.ts";

/** A client without any line; its own retries are off, so that it can be compared with a wrapped one. */
export function bareClient(server: Server): OpenAI {
  return new OpenAI({ apiKey: "sk-test", baseURL: server.url, maxRetries: 0 });
}

export function wrappedClient(server: Server, line: Line = pipeline()): OpenAI {
  return wrapClient(bareClient(server), line);
}

/** A line that refuses every call. */
export function refusing(error: RefusedError): Line {
  return pipeline({ name: error.policy, ring: "call", handle: async () => refusal(error) });
}

/** A policy that tries `attempts` times, reading ahead to the first content. */
export function retrying(attempts: number): Policy {
  return {
    name: "retry",
    ring: "border",
    async handle(call, next) {
      for (let attempt = 1; ; attempt++) {
        const outcome = await next(call.with({ attempt }));
        const fault = !outcome.ok ? outcome : outcome.body.kind === "stream" ? await outcome.body.prime() : undefined;
        if (fault === undefined) return outcome;
        if (!fault.retryable || attempt === attempts) return fault;
      }
    },
  };
}

/** Everything an iterable gives. */
export async function collect<T>(values: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const value of values) all.push(value);
  return all;
}

/** What a promise rejects with. Throws when it does not. */
export async function rejectionOf(promise: PromiseLike<unknown>): Promise<unknown> {
  try {
    await promise;
  } catch (error) {
    return error;
  }
  throw new Error("The promise was fulfilled.");
}
