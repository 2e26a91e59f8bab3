import {
  aborted,
  Call,
  Cancellation,
  type Clock,
  type Fault,
  functionOf,
  type Line,
  type Next,
  type Outcome,
  type Reply,
  resolveScope,
  type Scope,
  secretName,
  streamFor,
  streamReply,
  valueReply,
  whole,
} from "../core/index.ts";
import { remember, rememberBy } from "./explained.ts";
import { judgeThrown } from "./function-faults.ts";
import { charsOf, checkRequest, type ErrorJudge, type FunctionRequest, maxOutputTokensOf } from "./function-request.ts";
import { closeIterator, isAsyncIterable, Yielded, YieldedSource } from "./function-stream.ts";
import { usageOf } from "./function-usage.ts";
import { functionWire } from "./function-wire.ts";
import { currentScope } from "./scope.ts";
import { thrownFor } from "./thrown.ts";

/** What a function of the user's is called with. */
export interface FunctionContext {
  /** Aborted when the caller gives up, a time limit passes or the answer is no longer wanted. */
  readonly signal: AbortSignal;
  /** 1 for the first try. */
  readonly attempt: number;
  /** The model to ask: that of the request, unless a fallback has chosen another. */
  readonly model: string;
  /** The name of the target that a fallback or balancing has chosen; `undefined`: the call's own. */
  readonly target: string | undefined;
}

/** What one call wants: a scope, and a signal to give it up with. */
export interface CallOptions extends Scope {
  readonly signal?: AbortSignal | undefined;
}

/**
 * Sends a call of any async function through `line`. `fn` is called once per attempt, and not at all for an answer
 * from the cache; it gives a value or an async iterable, which comes back as a plain async iterable.
 *
 * Throws what `fn` threw, unchanged; a `RefusedError` when the line declines; the signal's reason when the caller gives
 * up, at once even if `fn` does not listen; `UpstreamTimeoutError`; `OptionError` for a malformed request.
 */
export async function callThrough<T>(
  line: Line,
  request: FunctionRequest,
  fn: (context: FunctionContext) => Promise<T> | T,
  options?: CallOptions,
): Promise<T> {
  checkRequest(request);
  functionOf("fn", fn);
  const { signal, ...own } = options ?? {};
  const scope = options === undefined ? currentScope() : resolveScope(own, currentScope());
  signal?.throwIfAborted();
  const { clock } = line.runtime;
  // Before anything listens to the signal: members of the request may be getters, and throw.
  const inputChars = charsOf(request.input);
  const maxOutputTokens = maxOutputTokensOf(request);
  const { cancellation, release } = Cancellation.from(signal);
  const call = Call.start(
    {
      operation: request.operation ?? "chat",
      provider: request.provider ?? "function",
      endpoint: "function",
      model: request.model,
      credential: request.credential === undefined ? "anonymous" : secretName(request.credential),
      stream: request.stream ?? false,
      temperature: request.temperature,
      request,
      wire: functionWire,
      scope,
      cancellation,
      inputChars,
      maxOutputTokens,
      send: senderTo(fn, request.judge, clock),
    },
    clock.now(),
  );
  remember(call);
  const outcome = await line.execute(call);
  if (!outcome.ok) {
    release();
    throw thrownFor(call, outcome);
  }
  outcome.settled.subscribe(release);
  const result = outcome.body.kind === "value" ? outcome.body.value : new Yielded(call, outcome.body);
  rememberBy(result, call);
  return result as T;
}

/** The end of the line for a call of a function. */
export function senderTo(fn: (context: FunctionContext) => unknown, judge: ErrorJudge | undefined, clock: Clock): Next {
  return (call) => ask(call, fn, (error) => judgeThrown(error, judge, call.provider, clock.wall()));
}

// A function that ignores its signal must not hold up a caller who has left: whichever comes first decides.
function ask(
  call: Call,
  fn: (context: FunctionContext) => unknown,
  judge: (error: unknown) => Fault,
): Promise<Outcome> {
  return new Promise((resolve) => {
    const { cancellation, release } = call.cancellation.child();
    const off = cancellation.onCancel((reason) => resolve(aborted(reason)));
    if (cancellation.cancelled) return;
    invoke(fn, new Context(cancellation, call))
      .then((result) => {
        if (cancellation.cancelled) return dropLate(result);
        const outcome = replyWith(call, cancellation, result, judge);
        off();
        outcome.settled.subscribe(release);
        resolve(outcome);
      })
      .catch((error: unknown) => {
        if (cancellation.cancelled) return;
        off();
        release();
        resolve(judge(error));
      });
  });
}

async function invoke(fn: (context: FunctionContext) => unknown, context: FunctionContext): Promise<unknown> {
  return fn(context);
}

function replyWith(call: Call, cancellation: Cancellation, result: unknown, judge: (error: unknown) => Fault): Reply {
  if (isAsyncIterable(result))
    return streamReply(streamFor(call, new YieldedSource(call, result, cancellation, judge)));
  const model = call.via === undefined ? undefined : call.model;
  const storable = result !== undefined && !call.foreign;
  return valueReply(result, whole({ storable, model, usage: usageOf(result) }));
}

function dropLate(result: unknown): void {
  if (isAsyncIterable(result)) void closeIterator(result);
}

/** Makes the signal only for a function that asks for it. */
class Context implements FunctionContext {
  readonly attempt: number;
  readonly model: string;
  readonly target: string | undefined;
  #cancellation: Cancellation;

  constructor(cancellation: Cancellation, { attempt, model, via }: Call) {
    this.#cancellation = cancellation;
    this.attempt = attempt;
    this.model = model;
    this.target = via;
  }

  get signal(): AbortSignal {
    return this.#cancellation.signal;
  }
}
