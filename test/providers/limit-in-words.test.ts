import { expect, it } from "vitest";
import { limitInWords } from "../../src/providers/openai/limit-in-words.ts";

const perMinute = { windowMs: 60_000, resetMs: undefined };

it("reads the limit that a refusal names, and what was left of it", () => {
  expect(
    limitInWords(
      "Rate limit reached for gpt-4o in organization org-x on tokens per min (TPM): Limit 10000, Used 9500, Requested 700. Please try again in 1.2s.",
    ),
  ).toEqual({ ...perMinute, unit: "tokens", limit: 10_000, remaining: 500 });
  expect(
    limitInWords(
      "Rate limit reached for model `m` in organization `org` service tier `on_demand` on tokens per minute (TPM): Limit 6000, Used 5543, Requested 812. Please try again in 3.55s.",
    ),
  ).toEqual({ ...perMinute, unit: "tokens", limit: 6_000, remaining: 457 });
  expect(
    limitInWords(
      "Rate limit reached for gpt-4o in organization org-x on requests per day (RPD): Limit 200, Used 200, Requested 1. Please try again in 7m12s.",
    ),
  ).toEqual({ ...perMinute, windowMs: 86_400_000, unit: "requests", limit: 200, remaining: 0 });
  expect(
    limitInWords(
      "Rate limit reached for default-gpt-3.5-turbo in organization org-x on requests per min. Limit: 3 / min. Please try again in 20s.",
    ),
  ).toEqual({ ...perMinute, unit: "requests", limit: 3, remaining: undefined });
  expect(
    limitInWords(
      "Rate limit reached for default-text-davinci in organization org-x on tokens per min. Limit: 90000 / min. Current: 95000 / min.",
    ),
  ).toEqual({ ...perMinute, unit: "tokens", limit: 90_000, remaining: 0 });
});

it("reads nothing where no limit is named", () => {
  for (const message of [
    "",
    "Too many requests",
    "The engine is currently overloaded, please try again later",
    "You exceeded your current quota, please check your plan and billing details.",
    "Rate limit reached on requests per min (RPM): Limit 0, Used 0, Requested 1.",
    "Limit 10, Used 5",
  ]) {
    expect(limitInWords(message)).toBeUndefined();
  }
});
