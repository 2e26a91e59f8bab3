import type { CallFacts, FunctionFacts } from "./facts.ts";
import { Functions } from "./functions.ts";
import type { Group, Judgement } from "./group.ts";
import { Groups } from "./groups.ts";
import type { AdvisorSettings } from "./options.ts";
import { type Familiar, PromptMemory } from "./prompt-memory.ts";
import { Recent } from "./recent.ts";

/** What was counted in one stretch of time. */
export interface Counted {
  readonly groups: Groups;
  readonly functions: Functions;
  readonly observedMs: number;
}

interface Stretch {
  readonly groups: Groups;
  readonly functions: Functions;
  readonly since: number;
}

const NOTHING_FAMILIAR: Familiar = { leading: 0, behind: 0 };
// The least that a provider's prompt cache takes, 1,024 tokens, at four characters each.
const CACHEABLE_CHARS = 4_096;
// Less than this share of a prompt is no matter of its order.
const BEHIND_SHARE_MIN = 0.1;

/** Judges and counts calls, in two stretches of `window`: the oldest is forgotten when the newest is full. Bounded. */
export class Tally {
  readonly #settings: AdvisorSettings;
  readonly #questions: Recent<string>;
  readonly #prompts = new PromptMemory();
  #current: Stretch;
  #previous: Stretch | undefined;

  constructor(settings: AdvisorSettings, now: number) {
    this.#settings = settings;
    this.#questions = new Recent(settings.maxQuestions);
    this.#current = this.#stretch(now);
  }

  addCall(call: CallFacts): void {
    this.#turnOver(call.at);
    this.#current.groups.add(call, this.#judge(call));
  }

  addFunction(run: FunctionFacts): void {
    this.#turnOver(run.at);
    this.#current.functions.add(run, this.#settings.slowFunctionMs);
  }

  counted(now: number): Counted {
    this.#turnOver(now);
    const { groups, functions } = this.#stretch(now);
    for (const stretch of [this.#previous, this.#current]) {
      if (stretch === undefined) continue;
      groups.merge(stretch.groups);
      functions.merge(stretch.functions);
    }
    return { groups, functions, observedMs: now - (this.#previous ?? this.#current).since };
  }

  #judge(call: CallFacts): Judgement {
    return {
      slowExcessMs: Math.max(0, unexplainedMs(call) - this.#settings.slowCallMs),
      isRepeat: this.#isRepeat(call),
      ...orderOf(call, this.#familiarOf(call)),
    };
  }

  #isRepeat({ question, isUpstream, at }: CallFacts): boolean {
    if (question === undefined) return false;
    const seenAt = this.#questions.seenAt(question);
    this.#questions.see(question, at);
    return isUpstream && seenAt !== undefined && at - seenAt <= this.#settings.windowMs;
  }

  #familiarOf({ provider, model, pieces, attempts, at }: CallFacts): Familiar {
    if (attempts === 0 || pieces.length === 0) return NOTHING_FAMILIAR;
    return this.#prompts.see(`${provider}/${model}`, pieces, at);
  }

  #turnOver(now: number): void {
    const { windowMs } = this.#settings;
    const passed = now - this.#current.since;
    if (passed < windowMs) return;
    this.#previous = passed < windowMs * 2 ? this.#current : undefined;
    this.#current = this.#stretch(now);
  }

  #stretch(since: number): Stretch {
    const { maxKinds, secondWorth } = this.#settings;
    const weightOf = ({ cost, durationMs }: Group): number => cost + (durationMs / 1000) * secondWorth;
    return { groups: new Groups(maxKinds, weightOf), functions: new Functions(), since };
  }
}

/** The time of a call without what timeouts, failed tries and pauses before retries took: those are told by themselves. */
function unexplainedMs({ durationMs, timeoutMs, failedMs, waits }: CallFacts): number {
  return durationMs - timeoutMs - failedMs - waits.backoff;
}

function orderOf(call: CallFacts, { leading, behind }: Familiar): Pick<Judgement, "readTokens" | "reorderableTokens"> {
  const { usage, inputChars, isUpstream, pieces } = call;
  if (!isUpstream || usage === undefined || inputChars === 0) return { readTokens: 0, reorderableTokens: 0 };
  const read = Math.min(
    inputChars,
    pieces.reduce((sum, { chars }) => sum + chars, 0),
  );
  const tokensOf = (chars: number): number => (usage.inputTokens * Math.min(chars, read)) / inputChars;
  const readTokens = tokensOf(read);
  if (leading + behind < CACHEABLE_CHARS || behind < read * BEHIND_SHARE_MIN)
    return { readTokens, reorderableTokens: 0 };
  // A beginning that is too short for the provider's cache would be served with the rest.
  const tokens = tokensOf(behind + (leading < CACHEABLE_CHARS ? leading : 0));
  const reorderable = Math.min(tokens, usage.inputTokens - (usage.cachedInputTokens ?? 0));
  return { readTokens, reorderableTokens: Math.max(0, reorderable) };
}
