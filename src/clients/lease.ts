import { AsyncResource } from "node:async_hooks";
import {
  broken,
  Call,
  Cancellation,
  type Chunk,
  type ChunkStream,
  type Duration,
  functionOf,
  knownKeys,
  type Line,
  numberIn,
  type Outcome,
  type Priority,
  resolveScope,
  type Settlement,
  secretName,
  streamFor,
  streamReply,
  textOf,
  type Usage,
  type Wire,
  whole,
} from "../core/index.ts";
import { remember, rememberBy } from "./explained.ts";
import { judgeThrown } from "./function-faults.ts";
import { usageOf } from "./function-usage.ts";
import { currentScope, runInScope } from "./scope.ts";
import { thrownFor } from "./thrown.ts";

/** What code of one's own asks for before it does what the line protects. */
export interface LeaseOptions {
  /** About how many tokens it will use in all. Default: what answers of that model usually use. */
  readonly tokens?: number | undefined;
  readonly priority?: Priority | undefined;
  readonly client?: string | undefined;
  readonly partition?: string | undefined;
  /** For limits, breakers and metrics. Default `"lease"`. */
  readonly model?: string | undefined;
  /** Who is asked, for limits, breakers and metrics. Default `"function"`. */
  readonly provider?: string | undefined;
  /** The secret that is used, or a name for it. */
  readonly credential?: string | undefined;
  /** From now to the end of the lease, waiting included. */
  readonly deadline?: Duration | undefined;
  /** Gives the lease up, or the waiting for it. */
  readonly signal?: AbortSignal | undefined;
}

/**
 * A permission of the whole line, held until it is given back by `settle`, `fail` or the end of a `using` block; only
 * the first of them counts. It ends by itself, too: by its deadline, a time limit of the line, or its signal.
 */
export interface CallLease extends Disposable, AsyncDisposable {
  readonly isOpen: boolean;
  /** Aborted when the lease ends before it is given back: what it was for must stop then. */
  readonly signal: AbortSignal;
  /** Gives it back, with the tokens that were really used where they are known. */
  settle(usage?: Partial<Usage>): void;
  /** Gives it back because the work failed. The error is read as one of `optimizer.call`. */
  fail(error: unknown): void;
  /**
   * Runs code that may make calls of the same optimizer: one at a time passes on the lease's own slot. Calls from
   * outside of it wait for slots of their own.
   */
  run<T>(fn: () => T): T;
}

const OPTION_KEYS = [
  "tokens",
  "priority",
  "client",
  "partition",
  "model",
  "provider",
  "credential",
  "deadline",
  "signal",
];

const CHARS_PER_TOKEN = 4;
const GRANTED: Chunk = { role: "content", value: undefined };

// Named as the wire of functions, whose slots are lent to the calls within.
const leaseWire: Wire = {
  name: "function",
  identity: () => ({ bypass: "lease" }),
  shape: () => "lease",
  keep: () => undefined,
  replay: () => undefined,
};

/**
 * Waits until every policy of `line` would send a call, and holds that permission: the pool's slot, what the limits have
 * reserved, the throttle's permit, the breaker's probe. A lease is a stream that has begun and ends when it is given
 * back, so it is neither retried nor hedged.
 *
 * Throws a `RefusedError` when the line declines, the signal's reason when the caller gives up, and `OptionError`.
 */
export async function acquireFrom(line: Line, options: LeaseOptions = {}): Promise<CallLease> {
  checkOptions(options);
  const { signal, tokens, model = "lease", provider = "function", credential, ...rest } = options;
  const { priority, client, partition, deadline } = rest;
  const scope = resolveScope({ priority, client, partition, deadline, cache: "bypass" }, currentScope());
  signal?.throwIfAborted();
  const { cancellation, release } = Cancellation.from(signal);
  const lease = new Lease(line, provider);
  const call = Call.start(
    {
      operation: "lease",
      provider,
      endpoint: "lease",
      model,
      credential: credential === undefined ? "anonymous" : secretName(credential),
      stream: true,
      request: undefined,
      wire: leaseWire,
      scope,
      cancellation,
      inputChars: (tokens ?? 0) * CHARS_PER_TOKEN,
      maxOutputTokens: tokens === undefined ? undefined : 0,
      send: async (attempt) => lease.grant(attempt),
    },
    line.runtime.clock.now(),
  );
  remember(call);
  const outcome = await line.execute(call);
  if (!outcome.ok) {
    release();
    throw thrownFor(call, outcome);
  }
  outcome.settled.subscribe(release);
  rememberBy(lease, call);
  return lease.held(outcome.body as ChunkStream);
}

/**
 * Runs `fn` under a lease, within its scope: what `fn` returns tells the tokens that were used where it has a `usage`,
 * what it throws tells that it failed, and is thrown. `under` is the client whose limits apply, or all of the options.
 *
 * Throws what `fn` and {@link acquireFrom} throw. `fn` is called once at most.
 */
export async function executeWithLease<T>(
  line: Line,
  fn: (context: { readonly signal: AbortSignal }) => Promise<T> | T,
  under: string | LeaseOptions = {},
): Promise<T> {
  functionOf("fn", fn);
  const options = typeof under === "string" ? { client: under } : under;
  const lease = await acquireFrom(line, options);
  const { priority, client, partition } = options;
  try {
    const result = await lease.run(() => runInScope({ priority, client, partition }, () => fn(lease)));
    lease.settle(usageOf(result));
    return result;
  } catch (error) {
    lease.fail(error);
    throw error;
  }
}

class Lease implements CallLease {
  readonly #line: Line;
  readonly #provider: string;
  readonly #end = Promise.withResolvers<Settlement>();
  readonly #ended = new Cancellation();
  #stream: ChunkStream | undefined;
  #within: AsyncResource | undefined;
  #granted = false;
  #givenBack = false;

  constructor(line: Line, provider: string) {
    this.#line = line;
    this.#provider = provider;
  }

  /** Called by the end of the line. */
  grant(call: Call): Outcome {
    // Its code runs in the surroundings of its slot.
    this.#within = new AsyncResource("breakwater.lease");
    this.#granted = false;
    return streamReply(streamFor(call, { pull: () => this.#pull(), cancel: () => undefined }));
  }

  held(stream: ChunkStream): this {
    this.#stream = stream;
    stream.settled.subscribe(({ fault }) => {
      if (!this.#givenBack) this.#ended.cancel(fault?.error);
    });
    return this;
  }

  get isOpen(): boolean {
    return !this.#givenBack && this.#stream?.settled.isOpen === false;
  }

  get signal(): AbortSignal {
    return this.#ended.signal;
  }

  settle(usage?: Partial<Usage>): void {
    const known = usage === undefined ? undefined : { inputTokens: 0, outputTokens: 0, ...usage };
    this.#giveBack(whole({ usage: known, storable: false }));
  }

  fail(error: unknown): void {
    const fault = judgeThrown(error, undefined, this.#provider, this.#line.runtime.clock.wall());
    this.#giveBack(broken(fault));
  }

  run<T>(fn: () => T): T {
    return this.#within === undefined ? fn() : this.#within.runInAsyncScope(fn);
  }

  [Symbol.dispose](): void {
    this.settle();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.settle();
    await this.#stream?.settled.promise();
  }

  #giveBack(settlement: Settlement): void {
    if (!this.isOpen) return;
    this.#givenBack = true;
    this.#end.resolve(settlement);
    void this.#drain();
  }

  // The line learns of the end when somebody reads it.
  async #drain(): Promise<void> {
    while ((await this.#stream?.next()) !== undefined);
  }

  async #pull(): Promise<Chunk | Settlement> {
    if (this.#granted) return this.#end.promise;
    this.#granted = true;
    return GRANTED;
  }
}

function checkOptions(options: LeaseOptions): void {
  knownKeys("lease", options, OPTION_KEYS);
  const { tokens, model, provider, credential } = options;
  if (tokens !== undefined) numberIn("lease.tokens", tokens, 0, Number.MAX_SAFE_INTEGER);
  if (model !== undefined) textOf("lease.model", model);
  if (provider !== undefined) textOf("lease.provider", provider);
  // The value stays out of the message: it may be most of a secret.
  if (credential !== undefined) textOf("lease.credential", typeof credential === "string" ? credential : {}, 4_096);
}
