import type { Cancellation } from "./cancellation.ts";
import { type Fingerprint, fingerprintOf } from "./fingerprint.ts";
import { labelSegment } from "./label.ts";
import type { Next } from "./policy.ts";
import type { ResolvedScope } from "./scope.ts";
import { type AttemptKind, Trace } from "./trace.ts";
import type { Identity, Wire } from "./wire.ts";

/** What a client knows of a call when it enters the line. */
export interface CallDetails {
  /** OpenTelemetry `gen_ai.operation.name`: `chat`, `responses`, `embeddings`, or the user's own word. */
  readonly operation: string;
  /** OpenTelemetry `gen_ai.provider.name`, or the host name of an unknown one. */
  readonly provider: string;
  /** Where the request goes: origin and path, and one-way names of whatever else of the address and the headers may change the answer. Part of the key. */
  readonly endpoint: string;
  readonly model: string;
  /** A one-way name of the credential, by `secretName`; never the secret itself. */
  readonly credential: string;
  readonly stream: boolean;
  /** As the request says it; absent where it does not, for a provider's default is not ours to know. */
  readonly temperature?: number | undefined;
  /** The request as data; policies read it through `wire` only. */
  readonly request: unknown;
  readonly wire: Wire;
  readonly scope: ResolvedScope;
  readonly cancellation: Cancellation;
  /** Characters of the whole input, for estimates. */
  readonly inputChars: number;
  /** The most tokens the answer may have, where the request says so. */
  readonly maxOutputTokens: number | undefined;
  /** How long the client waits for the head, in milliseconds, where it says so. */
  readonly headTimeoutMs?: number | undefined;
  /** How often the client has tried this request by itself already, where it says so; default 0. */
  readonly clientRetries?: number | undefined;
  /** The end of the line: asks the provider, once. A throw counts as a fault of kind `unknown`. */
  readonly send: Next;
}

/** Where a call is sent, and what is asked there. */
export interface Destination {
  readonly provider: string;
  readonly endpoint: string;
  readonly model: string;
  readonly credential: string;
  readonly send: Next;
  /** Name of the target that was chosen in place of the call's own; `undefined`: it is its own. */
  readonly via: string | undefined;
  /** Another model than the one that was asked for answers: what it says is not to be kept as that one's answer. */
  readonly foreign: boolean;
}

interface Changes {
  readonly cancellation?: Cancellation;
  readonly deadline?: number;
  readonly admitBy?: number;
  readonly attempt?: number;
  readonly attemptKind?: AttemptKind;
  /** Which of several answers to the same question is meant, from 0: each has a key of its own. */
  readonly variant?: number;
  /** Another request in the form of the first, such as a part of it; `inputChars` goes with it. */
  readonly request?: unknown;
  /** Characters of the input of `request`. */
  readonly inputChars?: number;
  readonly epoch?: number;
  /** Of the same client and route: the key stays. */
  readonly scope?: ResolvedScope;
  /** The record of a part that is not to be seen in that of the whole. */
  readonly trace?: Trace;
  /** Another place; a `request` that fits it goes with it. */
  readonly destination?: Destination;
}

interface Memo {
  identity?: Identity;
  own?: Fingerprint;
  shared?: Fingerprint;
}

let nextId = 0;

/**
 * One call on its way through the line. Read-only: a policy that wants something else passes on a changed copy.
 * Copies share `trace`, and those that ask the same the fingerprint.
 */
export class Call {
  readonly id: string;
  readonly operation: string;
  readonly provider: string;
  readonly endpoint: string;
  readonly model: string;
  readonly credential: string;
  readonly stream: boolean;
  readonly temperature: number | undefined;
  readonly request: unknown;
  readonly wire: Wire;
  readonly scope: ResolvedScope;
  readonly inputChars: number;
  readonly maxOutputTokens: number | undefined;
  readonly cancellation: Cancellation;
  /** The clock's time at which the whole answer must be there; `Infinity` without a deadline. */
  readonly deadline: number;
  /** The clock's time until which waiting for admission makes sense; never after `deadline`. */
  readonly admitBy: number;
  /** 1 for the first try. */
  readonly attempt: number;
  readonly attemptKind: AttemptKind;
  /** Above 0: the client retries too, and this is one of its retries. */
  readonly clientRetries: number;
  /** 0 unless several answers to one question are kept. */
  readonly variant: number;
  /**
   * 0, until something that concerns the question is invalidated while it is on its way: who asks after that has another
   * one, and must not be given what was asked for before.
   */
  readonly epoch: number;
  readonly trace: Trace;
  /** Name of the target that was chosen in place of the call's own, if one was. */
  readonly via: string | undefined;
  /** Another model than the one that was asked for answers: what it says is not to be kept as that one's answer. */
  readonly foreign: boolean;
  readonly send: Next;
  readonly #memo: Memo;

  private constructor(details: CallDetails, id: string, memo: Memo, changing: Required<Changes>) {
    const { destination } = changing;
    this.id = id;
    this.operation = details.operation;
    this.provider = destination.provider;
    this.endpoint = destination.endpoint;
    this.model = destination.model;
    this.credential = destination.credential;
    this.stream = details.stream;
    this.temperature = details.temperature;
    this.request = changing.request;
    this.wire = details.wire;
    this.scope = changing.scope;
    this.inputChars = changing.inputChars;
    this.maxOutputTokens = details.maxOutputTokens;
    this.cancellation = changing.cancellation;
    this.deadline = changing.deadline;
    this.admitBy = changing.admitBy;
    this.attempt = changing.attempt;
    this.attemptKind = changing.attemptKind;
    this.clientRetries = details.clientRetries ?? 0;
    this.variant = changing.variant;
    this.epoch = changing.epoch;
    this.trace = changing.trace;
    this.via = destination.via;
    this.foreign = destination.foreign;
    this.send = destination.send;
    this.#memo = memo;
  }

  /** A new call, beginning at the clock's time `now`. */
  static start(details: CallDetails, now: number): Call {
    const { deadlineMs } = details.scope;
    const deadline = deadlineMs === undefined ? Number.POSITIVE_INFINITY : now + deadlineMs;
    const admitBy = details.headTimeoutMs === undefined ? deadline : Math.min(deadline, now + details.headTimeoutMs);
    nextId = (nextId + 1) % Number.MAX_SAFE_INTEGER;
    const { cancellation, request, inputChars, scope } = details;
    const trace = new Trace(now);
    const fixed = { attempt: 1, attemptKind: "first", variant: 0, epoch: 0 } as const;
    const { provider, endpoint, model, credential, send } = details;
    const destination = { provider, endpoint, model, credential, send, via: undefined, foreign: false };
    const changing = { ...fixed, cancellation, deadline, admitBy, request, inputChars, scope, trace, destination };
    return new Call(details, `c${nextId.toString(36)}`, {}, changing);
  }

  /** A copy with other values. An earlier `deadline` brings `admitBy` with it. */
  with(changes: Changes): Call {
    const deadline = changes.deadline ?? this.deadline;
    const changing = {
      cancellation: changes.cancellation ?? this.cancellation,
      deadline,
      admitBy: Math.min(changes.admitBy ?? this.admitBy, deadline),
      attempt: changes.attempt ?? this.attempt,
      attemptKind: changes.attemptKind ?? this.attemptKind,
      variant: changes.variant ?? this.variant,
      epoch: changes.epoch ?? this.epoch,
      scope: changes.scope ?? this.scope,
      request: changes.request ?? this.request,
      inputChars: changes.inputChars ?? this.inputChars,
      trace: changes.trace ?? this.trace,
      destination: changes.destination ?? this,
    };
    const asksTheSame =
      changing.variant === this.variant && changing.request === this.request && changes.destination === undefined;
    return new Call(this, this.id, asksTheSame ? this.#memo : {}, changing);
  }

  /** Provider, model and credential: what a breaker, a throttle or a gate is kept for. Readable and free of secrets. */
  get target(): string {
    return `${this.provider}/${this.model}/${this.credential}`;
  }

  /** Whose call it is: credential and client. */
  get owner(): string {
    const { client } = this.scope;
    return client === undefined ? this.credential : `${this.credential}/${client}`;
  }

  /**
   * What patterns of invalidation match: `client/operation/model/route`, each as `labelSegment` writes it, empty where
   * the call has none.
   */
  get label(): string {
    const { client, route } = this.scope;
    return [client ?? "", this.operation, this.model, route ?? ""].map(labelSegment).join("/");
  }

  get identity(): Identity {
    this.#memo.identity ??= this.wire.identity(this);
    return this.#memo.identity;
  }

  /**
   * The key of the question, computed once. It is scoped by credential and client unless `shared`: then every
   * caller of this process and of shared tiers may get the answer.
   * `undefined` when the wire says that the call must not be cached. Throws `NotCanonicalError`.
   */
  fingerprint(shared = false): Fingerprint | undefined {
    const scope = shared ? "shared" : "own";
    const known = this.#memo[scope];
    if (known !== undefined) return known;
    const { identity } = this;
    if ("bypass" in identity) return undefined;
    const owner = shared ? null : [this.credential, this.scope.client ?? null];
    const place = [this.wire.name, this.provider, this.endpoint, this.operation, this.model];
    const which = [this.scope.route ?? null, this.variant];
    const fingerprint = fingerprintOf([owner, ...place, ...which, identity.material]);
    this.#memo[scope] = fingerprint;
    return fingerprint;
  }
}
