import type { Call, Usage } from "../core/index.ts";
import { OutputLengths } from "./output-lengths.ts";
import { PromptSize } from "./prompt-size.ts";
import type { TokenCounter } from "./token-counter.ts";

/** Tokens that a call will probably take. */
export interface Estimate {
  readonly input: number;
  readonly output: number;
}

const KNOWN_MAX = 1_000;
const UNKNOWN_OUTPUT_TOKENS = 512;
/** How many answers of a route the experience of its model is worth. */
const MODEL_WORTH = 4;
/** A route moves by at most a factor of two with each answer. */
const STEP_MAX = Math.LN2;
const MEMORY = 0.95;
const EMBEDDINGS = "embeddings";

/** What is known of one model, at one provider, for one operation, with tools or without. */
interface ModelExperience {
  readonly prompts: PromptSize;
  readonly outputs: OutputLengths;
}

/** What is known of a route beyond its model. */
interface RouteExperience {
  /** Logarithms of how many times what its model's experience says its prompts took, summed over `lessons`. */
  logRatios: number;
  lessons: number;
  readonly outputs: OutputLengths;
}

/**
 * Estimates the tokens of a call from what the calls before it really used.
 *
 * Input: an overhead and so much a character, learned by provider, model, operation and whether there are tools; a route
 * has a ratio to that, held near 1 while it has few answers. Output: the 80th percentile of the last answers of the model
 * and the route, at most the call's `max_tokens`; 512 before the first. Takes a microsecond and bounded memory, whatever
 * the size of a prompt.
 */
export class TokenEstimator {
  // In the order in which they last taught something; the oldest is forgotten first.
  readonly #models = new Map<string, ModelExperience>();
  readonly #routes = new Map<string, RouteExperience>();

  /** `counter`: exact where it can count, in place of the estimate of the input. */
  estimate(call: Call, counter?: TokenCounter): Estimate {
    const key = modelKey(call);
    const model = this.#models.get(key);
    const { route: name } = call.scope;
    const route = name === undefined ? undefined : this.#routes.get(routeKey(key, name));
    return { input: countedBy(counter, call) ?? inputOf(call, model, route), output: outputOf(call, model, route) };
  }

  learn(call: Call, usage: Usage): void {
    const key = modelKey(call);
    const model = renewed(this.#models, key, () => newModel(hasTools(call.request)));
    const { route: name } = call.scope;
    const route = name === undefined ? undefined : renewed(this.#routes, routeKey(key, name), newRoute);
    model.outputs.add(usage.outputTokens);
    route?.outputs.add(usage.outputTokens);
    if (call.inputChars <= 0 || usage.inputTokens <= 0) return;
    model.prompts.learn(call.inputChars, usage.inputTokens);
    if (route === undefined) return;
    const lesson = Math.log(usage.inputTokens / model.prompts.tokens(call.inputChars));
    const known = logRatioOf(route);
    const bounded = Math.min(known + STEP_MAX, Math.max(known - STEP_MAX, lesson));
    route.logRatios = route.logRatios * MEMORY + bounded;
    route.lessons = route.lessons * MEMORY + 1;
  }
}

const UNKNOWN = new PromptSize(false);

function inputOf(call: Call, model: ModelExperience | undefined, route: RouteExperience | undefined): number {
  const tokens = (model?.prompts ?? UNKNOWN).tokens(call.inputChars);
  return Math.ceil(route === undefined ? tokens : tokens * Math.exp(logRatioOf(route)));
}

function outputOf(call: Call, model: ModelExperience | undefined, route: RouteExperience | undefined): number {
  if (call.operation === EMBEDDINGS) return 0;
  const ofModel = model?.outputs.usual(UNKNOWN_OUTPUT_TOKENS) ?? UNKNOWN_OUTPUT_TOKENS;
  const usual = route?.outputs.usual(ofModel) ?? ofModel;
  return Math.min(call.maxOutputTokens ?? Number.POSITIVE_INFINITY, usual);
}

function countedBy(counter: TokenCounter | undefined, call: Call): number | undefined {
  if (counter === undefined) return undefined;
  try {
    const tokens = counter(call);
    return tokens !== undefined && Number.isSafeInteger(tokens) && tokens >= 0 ? tokens : undefined;
  } catch {
    return undefined;
  }
}

function logRatioOf({ logRatios, lessons }: RouteExperience): number {
  return logRatios / (lessons + MODEL_WORTH);
}

function newModel(tools: boolean): ModelExperience {
  return { prompts: new PromptSize(tools), outputs: new OutputLengths() };
}

function newRoute(): RouteExperience {
  return { logRatios: 0, lessons: 0, outputs: new OutputLengths() };
}

/** The value of `key`, made if it is new, and the last to be forgotten. */
function renewed<T>(known: Map<string, T>, key: string, create: () => T): T {
  const value = known.get(key) ?? create();
  known.delete(key);
  known.set(key, value);
  if (known.size > KNOWN_MAX) known.delete(known.keys().next().value as string);
  return value;
}

function modelKey(call: Call): string {
  return `${call.provider}\n${call.model}\n${call.operation}\n${hasTools(call.request) ? "tools" : ""}`;
}

function routeKey(model: string, route: string): string {
  return `${model}\n${route}`;
}

// Providers put words of their own around tools: far more than there is of the prompt, sometimes.
function hasTools(request: unknown): boolean {
  if (typeof request !== "object" || request === null) return false;
  const { tools, functions } = request as { readonly tools?: unknown; readonly functions?: unknown };
  return (Array.isArray(tools) && tools.length > 0) || (Array.isArray(functions) && functions.length > 0);
}
