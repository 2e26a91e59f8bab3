import {
  aborted,
  type Batch,
  type Call,
  type Fault,
  type FaultKind,
  faultOf,
  type Next,
  nextTurn,
  type Outcome,
  type Reply,
  type Runtime,
  Trace,
} from "../../core/index.ts";
import type { CacheSettings } from "./options.ts";
import { questionOf } from "./question.ts";

/** The call as a batch, where it is one and its parts may be looked for. */
export function batchOf(call: Call, settings: CacheSettings): Batch | undefined {
  const batch = call.wire.split?.(call);
  const [first] = batch?.parts ?? [];
  return first === undefined || typeof questionOf(first, settings) === "string" ? undefined : batch;
}

/** How many parts are looked for, or kept, before others have their turn. */
const PARTS_A_TURN = 32;

/** A part that no tier has. */
interface Missing {
  readonly index: number;
  readonly call: Call;
  readonly resolve: (outcome: Outcome) => void;
}

/**
 * Answers a call of several questions from what is kept of each. `handle` is the way of a single question through the
 * cache; what none of them finds is asked in one call, in order. The call fails if that one does: what was found stays
 * where it is.
 */
export async function answerBatch(
  call: Call,
  batch: Batch,
  handle: (part: Call, next: Next) => Promise<Outcome>,
  next: Next,
  runtime: Runtime,
): Promise<Outcome> {
  const parts = batch.parts.map((part) => part.with({ trace: new Trace(call.trace.startedAt) }));
  const gathering = new Gathering(call, batch, next);
  const pending: Promise<Outcome>[] = [];
  for (const [index, part] of parts.entries()) {
    if (index > 0 && index % PARTS_A_TURN === 0) await nextTurn();
    pending.push(
      handle(part, gathering.nextOf(index)).then((outcome) => {
        gathering.decided(index);
        return outcome;
      }),
    );
  }
  const outcomes = await Promise.all(pending);
  report(call, parts, outcomes, runtime);
  if (gathering.whole !== undefined) return gathering.whole;
  const fault = outcomes.find((outcome): outcome is Fault => !outcome.ok);
  if (fault !== undefined && fault !== INDIVISIBLE) return gathering.fault ?? fault;
  // What cannot be taken apart or put together is asked as a whole.
  return (fault === undefined ? await batch.join(outcomes as readonly Reply[]) : undefined) ?? next(call);
}

const INDIVISIBLE = faultOf({ kind: "unknown", error: undefined });

const OF_THE_REQUEST: ReadonlySet<FaultKind> = new Set(["bad_request", "context_length", "content_filter"]);

/** What a fault of several questions says of each: not that this very one is wrong. */
function faultOfPart(fault: Fault, questions: number): Fault {
  return questions > 1 && OF_THE_REQUEST.has(fault.kind) ? { ...fault, kind: "unknown" } : fault;
}

/** Gathers what is to be asked until every part is decided, and asks for it in one call. */
class Gathering {
  readonly #call: Call;
  readonly #batch: Batch;
  readonly #next: Next;
  readonly #undecided: Set<number>;
  #missing: Missing[] = [];
  /** What was found and is only renewed: nobody waits for it. */
  #renewed: Missing[] = [];
  /** The reply to the very call that was given, where all of it was asked. */
  whole: Reply | undefined;
  /** How asking for what is missing failed. */
  fault: Fault | undefined;

  constructor(call: Call, batch: Batch, next: Next) {
    this.#call = call;
    this.#batch = batch;
    this.#next = next;
    this.#undecided = new Set(batch.parts.keys());
  }

  nextOf(index: number): Next {
    return (call) =>
      new Promise((resolve) => {
        const missing = { index, call, resolve };
        const isWaitedFor = call.cancellation === this.#call.cancellation && this.#undecided.has(index);
        if (isWaitedFor) this.#missing.push(missing);
        else this.#renew(missing);
        this.decided(index);
      });
  }

  /** The part was found, or is to be asked. */
  decided(index: number): void {
    if (!this.#undecided.delete(index) || this.#undecided.size > 0 || this.#missing.length === 0) return;
    void this.#askMissing();
  }

  #renew(missing: Missing): void {
    this.#renewed.push(missing);
    if (this.#renewed.length === 1) void nextTurn().then(() => this.#askRenewed());
  }

  async #askMissing(): Promise<void> {
    const missing = this.#missing.toSorted((left, right) => left.index - right.index);
    const { trace } = this.#call;
    const epoch = missing.reduce((sum, { call }) => sum + call.epoch, 0);
    const asked = this.#batch.ask((missing[0] as Missing).call.with({ trace, epoch }), indexesOf(missing));
    const outcome = await this.#next(asked);
    if (!outcome.ok) this.fault = outcome;
    else if (asked.request === this.#call.request) this.whole = outcome;
    await this.#hand(outcome, missing);
  }

  async #askRenewed(): Promise<void> {
    const renewed = this.#renewed;
    this.#renewed = [];
    await this.#hand(await this.#next(this.#batch.ask((renewed[0] as Missing).call, indexesOf(renewed))), renewed);
  }

  async #hand(outcome: Outcome, missing: readonly Missing[]): Promise<void> {
    const outcomes = outcome.ok ? await this.#divided(outcome, indexesOf(missing)) : undefined;
    if (outcome.ok && outcome !== this.whole && outcome.body.kind === "stream") {
      outcome.body.fail(aborted(new DOMException("Nobody reads it.", "AbortError")));
    }
    const otherwise = outcome.ok ? INDIVISIBLE : faultOfPart(outcome, missing.length);
    for (const [place, { resolve }] of missing.entries()) {
      if (place > 0 && place % PARTS_A_TURN === 0) await nextTurn();
      resolve(outcomes?.[place] ?? otherwise);
    }
  }

  // What a wire cannot read must not leave the parts waiting.
  async #divided(reply: Reply, indexes: readonly number[]): Promise<readonly Reply[] | undefined> {
    try {
      return await this.#batch.divide(reply, indexes);
    } catch {
      return undefined;
    }
  }
}

function indexesOf(missing: readonly Missing[]): readonly number[] {
  return missing.map(({ index }) => index);
}

function report(call: Call, parts: readonly Call[], outcomes: readonly Outcome[], { clock }: Runtime): void {
  const hits = outcomes.filter((outcome) => outcome.ok && outcome.servedBy === "cache").length;
  const what = hits === parts.length ? "hit" : hits === 0 ? "miss" : "partial";
  call.trace.step(clock.now(), "cache", what, undefined, `${hits} of ${parts.length}`);
  if (what === "hit") call.trace.tier = parts[0]?.trace.tier;
}
