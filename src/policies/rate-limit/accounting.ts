import { booleanOf, type Call, knownKeys, OptionError, oneOf, type Usage } from "../../core/index.ts";
import type { Estimate } from "../../tokens/index.ts";
import type { Cost } from "./meter.ts";

/** How a provider counts the tokens of a request against its limits. */
export interface TokenAccounting {
  /**
   * What it takes when a request comes: what it expects to be used (`actual`), the prompt and the `max_tokens` of the
   * request (`max_tokens`), or the larger of the two (`larger`).
   */
  readonly reserves?: "actual" | "max_tokens" | "larger";
  /** Whether it gives back what an answer did not use. */
  readonly settles?: boolean;
  /** Whether prompt tokens that it read from its cache count. */
  readonly countsCachedInput?: boolean;
}

/** By provider, as `gen_ai.provider.name` or host; those that are not named keep their defaults. */
export type Accounting = Readonly<Record<string, TokenAccounting>>;

const ACTUAL = { reserves: "actual", settles: true, countsCachedInput: true } as const;

/**
 * What providers document. OpenAI: the larger of `max_tokens` and the prompt, not corrected; cached tokens count. Azure:
 * prompt and `max_tokens`. Bedrock: reserves both and gives back at the end, cache reads too. Anthropic and Groq: as
 * used, cache reads do not count. Cerebras: prompt and `max_completion_tokens` must fit.
 */
export const ACCOUNTING_DEFAULTS = {
  openai: { reserves: "larger", settles: false, countsCachedInput: true },
  "azure.ai.openai": { reserves: "max_tokens", settles: false, countsCachedInput: true },
  "aws.bedrock": { reserves: "max_tokens", settles: true, countsCachedInput: false },
  anthropic: { ...ACTUAL, countsCachedInput: false },
  groq: { ...ACTUAL, countsCachedInput: false },
  "api.cerebras.ai": { reserves: "max_tokens", settles: true, countsCachedInput: true },
} as const satisfies Accounting;

const ACCOUNTING_KEYS = ["reserves", "settles", "countsCachedInput"] as const;

export type ReadAccounting = ReadonlyMap<string, Required<TokenAccounting>>;

/** Throws `OptionError`. */
export function readAccounting(option: string, given: Accounting): ReadAccounting {
  if (typeof given !== "object" || given === null) throw new OptionError(option, given, "an object by provider");
  const read = new Map<string, Required<TokenAccounting>>(Object.entries(ACCOUNTING_DEFAULTS));
  for (const [provider, accounting] of Object.entries(given)) {
    const name = `${option}.${provider}`;
    knownKeys(name, accounting, ACCOUNTING_KEYS);
    const { reserves, settles, countsCachedInput } = { ...accountingOf(read, provider), ...accounting };
    read.set(provider, {
      reserves: oneOf(`${name}.reserves`, reserves, ["actual", "max_tokens", "larger"]),
      settles: booleanOf(`${name}.settles`, settles),
      countsCachedInput: booleanOf(`${name}.countsCachedInput`, countsCachedInput),
    });
  }
  return read;
}

export function accountingOf(read: ReadAccounting, provider: string): Required<TokenAccounting> {
  return read.get(provider) ?? ACTUAL;
}

/** What one call takes. */
export interface CallCost {
  /** Of limits of your own. */
  readonly own: Cost;
  /** Of limits that stand for the provider's. */
  readonly provider: Cost;
  /** What it will use in the mean, where the others err on the safe side. */
  readonly mean: Cost;
}

/**
 * What a call takes before anything better than its estimate is known; `outputRatio` is what answers have used of what
 * was expected of them.
 */
export function expectedCost(
  call: Call,
  { input, output }: Estimate,
  accounting: Required<TokenAccounting>,
  outputRatio: number,
): CallCost {
  const own = costOf(1, input, output);
  const mean = outputRatio === 1 ? own : costOf(1, input, output * outputRatio);
  const { maxOutputTokens } = call;
  if (accounting.reserves === "actual" || maxOutputTokens === undefined) return { own, provider: own, mean };
  const tokens = accounting.reserves === "larger" ? Math.max(input, maxOutputTokens) : input + maxOutputTokens;
  return { own, provider: { ...own, tokens, outputTokens: maxOutputTokens }, mean };
}

/** What it took in the end; `used` is what was really used. */
export function finalCost(
  expected: CallCost,
  used: Cost,
  usage: Usage | undefined,
  accounting: Required<TokenAccounting>,
): CallCost {
  const cached = accounting.countsCachedInput ? 0 : (usage?.cachedInputTokens ?? 0);
  const counted = cached === 0 ? used : costOf(used.requests, used.inputTokens - cached, used.outputTokens);
  // A request that was turned down or never left is charged nowhere.
  if (accounting.settles || used.tokens === 0) return { own: used, provider: counted, mean: used };
  return { own: used, provider: atLeast(expected.provider, counted), mean: used };
}

export function costOf(requests: number, inputTokens: number, outputTokens: number): Cost {
  return { requests, tokens: inputTokens + outputTokens, inputTokens, outputTokens };
}

function atLeast(reserved: Cost, counted: Cost): Cost {
  return {
    requests: counted.requests,
    tokens: Math.max(reserved.tokens, counted.tokens),
    inputTokens: counted.inputTokens,
    outputTokens: Math.max(reserved.outputTokens, counted.outputTokens),
  };
}
