import {
  booleanOf,
  functionOf,
  knownKeys,
  OptionError,
  type Runtime,
  type Target,
  type TargetTraits,
  textOf,
} from "../core/index.ts";
import { ClientTarget } from "./client-target.ts";
import { type FunctionContext, senderTo } from "./function.ts";
import type { FunctionRequest } from "./function-request.ts";
import { functionWire } from "./function-wire.ts";
import { type Elsewhere, withOtherModel } from "./model-target.ts";

/** Another place for calls: another model, another client, or for calls of functions another function. */
export interface TargetOptions extends TargetTraits {
  /** What to ask for in place of the request's own `model`. */
  readonly model?: string | undefined;
  /**
   * A client of the OpenAI SDK or its family that is not optimized itself: its address, headers and credential are used.
   * Takes calls of clients and of `optimizer.fetch`, not those of functions.
   */
  readonly client?: object | undefined;
  /** Who answers; for calls of functions. */
  readonly provider?: string | undefined;
  /** The secret that is used there, or a name for it; for calls of functions. */
  readonly credential?: string | undefined;
  /** Called in place of the call's own function, which otherwise is told `model` and `target`. */
  readonly fn?: ((context: FunctionContext) => unknown) | undefined;
  /** `model` is the same one by another name, such as an Azure deployment: answers may be kept as the call's own. Default false. */
  readonly sameModel?: boolean | undefined;
  /** In events, traces and snapshots. Default made of the client's host, the provider and the model. */
  readonly name?: string | undefined;
}

const PLACES = ["model", "client", "provider", "credential", "fn"] as const;
const KEYS = [...PLACES, "sameModel", "name", "rank", "weight", "capacity", "price", "maxInputTokens", "when"];

/**
 * A target for `fallback`. What cannot be sent there is passed over: embeddings to another model, whose vectors do not
 * compare; what refers to files, conversations or responses of another account; calls of a client to a function.
 *
 * Throws `OptionError`, and `TypeError` for a client of an unknown kind or one that is optimized already.
 */
export function targetOf(options: TargetOptions): Target {
  knownKeys("target", options, KEYS);
  const { model, client, provider, credential, fn, sameModel = false, name, ...traits } = options;
  if (PLACES.every((key) => options[key] === undefined)) {
    throw new OptionError("target", options, `at least one of ${PLACES.join(", ")}`);
  }
  if (model !== undefined) textOf("target.model", model);
  if (provider !== undefined) textOf("target.provider", provider);
  if (fn !== undefined) functionOf("target.fn", fn);
  // The value stays out of the message: it may be most of a secret.
  if (credential === "") throw new OptionError("target.credential", "", "text");
  booleanOf("target.sameModel", sameModel);
  const ofFunction = provider !== undefined || credential !== undefined || fn !== undefined;
  if (client !== undefined && ofFunction) {
    throw new OptionError(
      "target.client",
      client,
      "no provider, credential or fn beside it: they are of calls of functions",
    );
  }
  const there = client === undefined ? undefined : new ClientTarget(client);
  const ownName = name === undefined ? nameOf(there?.host ?? provider, model, fn) : textOf("target.name", name, 128);
  const elsewhere: Elsewhere = { name: ownName, model, sameModel, provider, credential };
  return {
    ...traits,
    name: ownName,
    model,
    apply(call, runtime) {
      if (there !== undefined) return there.call(call, ownName, model ?? call.model, sameModel, runtime.clock);
      if (!ofFunction) return withOtherModel(call, elsewhere);
      if (call.wire.name !== functionWire.name) return undefined;
      return withOtherModel(
        call,
        fn === undefined ? elsewhere : { ...elsewhere, send: senderOfCall(call.request, fn, runtime) },
      );
    },
  };
}

function senderOfCall(
  request: unknown,
  fn: (context: FunctionContext) => unknown,
  { clock }: Runtime,
): Elsewhere["send"] {
  return senderTo(fn, (request as FunctionRequest).judge, clock);
}

function nameOf(place: string | undefined, model: string | undefined, fn: unknown): string {
  const told = [place, model].filter((part) => part !== undefined);
  if (told.length > 0) return told.join("/").slice(0, 128);
  return typeof fn === "function" && fn.name !== "" ? fn.name.slice(0, 128) : "target";
}
