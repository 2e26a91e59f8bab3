import { DEFAULT_SCOPE, resolveScope, type Scope } from "../../core/index.ts";
import { readEvents, readWhole } from "./answer-text.ts";
import { FALLBACK_MODEL } from "./draw-scenario.ts";
import type { CallerEnd, CallRecord } from "./record.ts";
import type { AskAction } from "./scenario.ts";
import { totalMs, type World } from "./world.ts";

/** In every prompt and in no event. */
export const PROMPT_MARK = "Question";
/** In every credential and in no event. */
export const KEY_MARK = "sk-simulated";

/** What a function of the user's is called with, as far as these use it. */
interface WorkContext {
  readonly signal: AbortSignal;
  readonly attempt: number;
}

const NOTHING_READ = { text: "", unread: "", finishReason: undefined } as const;
const URL = "https://api.openai.com/v1/chat/completions";

/** Lets a caller do what its action says, and writes down what it got. */
export function ask(world: World, action: AskAction): void {
  const record = recordOf(world, action);
  world.records.push(record);
  if (action.abortAfter !== undefined) {
    world.clock.timer(action.abortAfter, async () => {
      await world.hops();
      if (record.end !== undefined) return;
      record.abortedAt = world.clock.now();
      record.controller.abort(new Error("The caller gave up."));
    });
  }
  const asked = world.caller.run(record, () => (action.via === "fetch" ? askByFetch : askByFunction)(world, record));
  const ended = (end: CallerEnd): void => {
    record.end = end;
    record.endedAt = world.clock.now();
  };
  asked.then(ended, () => ended(record.abortedAt === undefined ? "failed" : "aborted"));
}

function recordOf(world: World, action: AskAction): CallRecord {
  const startedAt = world.clock.now();
  const deadlineMs = resolveScope(action.scope, DEFAULT_SCOPE).deadlineMs ?? Number.POSITIVE_INFINITY;
  return {
    action,
    ordinal: world.records.length,
    startedAt,
    deadlineAt: startedAt + Math.min(deadlineMs, totalMs(world)),
    expected: answersTo(world, action),
    controller: new AbortController(),
    abortedAt: undefined,
    endedAt: undefined,
    end: undefined,
    ...NOTHING_READ,
  };
}

function scopeOf(record: CallRecord): Scope {
  const { scope, takesBack } = record.action;
  return takesBack === true ? { ...scope, onRestart: () => Object.assign(record, NOTHING_READ) } : scope;
}

function answersTo({ provider, scenario }: World, action: AskAction): string[] {
  if (action.via === "function") return [itemsOf(action).join("")];
  const models = scenario.optimizer.fallback ? [action.model, FALLBACK_MODEL] : [action.model];
  return models.map((model) => provider.answerTo("chat", bodyOf({ ...action, model })));
}

function bodyOf({ model, question, stream }: AskAction): object {
  return { model, stream, messages: [{ role: "user", content: `${PROMPT_MARK} ${question}` }] };
}

async function askByFetch(world: World, record: CallRecord): Promise<CallerEnd> {
  const { action, controller } = record;
  const response = await world.optimizer.run(scopeOf(record), () =>
    world.optimizer.fetch(URL, {
      method: "POST",
      headers: { "content-type": "application/json", authorization: `Bearer ${KEY_MARK}` },
      body: JSON.stringify(bodyOf(action)),
      signal: controller.signal,
    }),
  );
  if (!response.ok || response.body === null) {
    await response.body?.cancel();
    return "failed";
  }
  if (!action.stream) return readWhole(await response.text(), record);
  const reader = response.body.getReader();
  const left = await readChunks(world, record, async () => {
    const { done, value } = await reader.read();
    if (!done) readEvents(value, record);
    return done;
  });
  if (left) {
    await reader.cancel();
    return "left";
  }
  return record.finishReason === undefined ? "failed" : "answered";
}

async function askByFunction(world: World, record: CallRecord): Promise<CallerEnd> {
  const { action, controller } = record;
  const { model, question, stream } = action;
  const request = { model: `f-${model}`, input: `${PROMPT_MARK} ${question}`, stream, credential: KEY_MARK };
  const result = await world.optimizer.call<string | AsyncIterable<string>>(
    request,
    async (context) => (stream ? streamed(world, action, context) : whole(world, action, context)),
    { ...scopeOf(record), signal: controller.signal },
  );
  if (typeof result === "string") {
    record.text = result;
  } else {
    const iterator = result[Symbol.asyncIterator]();
    const left = await readChunks(world, record, async () => {
      const next = await iterator.next();
      if (next.done !== true) record.text += next.value;
      return next.done === true;
    });
    if (left) {
      await iterator.return?.();
      return "left";
    }
  }
  record.finishReason = "stop";
  return "answered";
}

/** Reads until `read` says that it was the last, or until the caller has enough: then it says `true`. */
async function readChunks(world: World, { action }: CallRecord, read: () => Promise<boolean>): Promise<boolean> {
  const { leaveAfter = Number.POSITIVE_INFINITY, readEvery } = action;
  for (let chunks = 0; chunks < leaveAfter; chunks++) {
    if (readEvery !== undefined) await pause(world, readEvery);
    if (await read()) return false;
  }
  return true;
}

async function whole(world: World, action: AskAction, { signal, attempt }: WorkContext): Promise<string> {
  const { takes, failures, deaf } = action.work;
  await pause(world, takes, deaf ? undefined : signal);
  if (attempt <= failures) throw unavailable();
  return itemsOf(action).join("");
}

async function* streamed(world: World, action: AskAction, { signal, attempt }: WorkContext): AsyncIterable<string> {
  const { takes, failures, failsAfter, deaf } = action.work;
  for (const [index, item] of itemsOf(action).entries()) {
    await pause(world, takes, deaf ? undefined : signal);
    if (attempt <= failures && index >= failsAfter) throw unavailable();
    yield item;
  }
  if (attempt <= failures) throw unavailable();
}

// By the question alone: two callers who share an answer must both expect it.
function itemsOf({ question }: AskAction): string[] {
  return Array.from({ length: 1 + (question % 4) }, (_, index) => `${question}.${index};`);
}

function unavailable(): Error {
  return Object.assign(new Error("The function failed."), { status: 503 });
}

function pause({ clock }: World, ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    signal?.throwIfAborted();
    const leave = (): void => {
      timer.cancel();
      reject(signal?.reason);
    };
    const timer = clock.timer(ms, () => {
      signal?.removeEventListener("abort", leave);
      resolve();
    });
    signal?.addEventListener("abort", leave, { once: true });
  });
}
