import { type Call, type Destination, secretName } from "../core/index.ts";
import { openaiWholeWire } from "../providers/openai/index.ts";
import { functionWire } from "./function-wire.ts";

/** What a target of the call's own client changes. */
export interface Elsewhere {
  readonly name: string;
  readonly model: string | undefined;
  readonly sameModel: boolean;
  readonly provider?: string | undefined;
  readonly credential?: string | undefined;
  readonly send?: Destination["send"] | undefined;
}

const DEPLOYMENT = /\/deployments\/[^/]+\//;

/** The call asked of another model with the same client or function; `undefined` where it cannot be. */
export function withOtherModel(call: Call, elsewhere: Elsewhere): Call | undefined {
  const { name, model = call.model, sameModel, provider, credential, send } = elsewhere;
  const foreign = isForeign(call, model, sameModel);
  if (foreign && call.operation === "embeddings") return undefined;
  const isOfFunction = call.wire.name === functionWire.name;
  // Headers say what the body is, and would not fit another.
  if (call.wire === openaiWholeWire && model !== call.model) return undefined;
  return call.with({
    request: {
      ...(call.request as object),
      model,
      ...(provider !== undefined && isOfFunction && { provider }),
    },
    destination: {
      provider: provider ?? call.provider,
      endpoint: withOtherDeployment(call.endpoint, call.model, model),
      model,
      credential: credential === undefined ? call.credential : secretName(credential),
      send: send ?? call.send,
      via: name,
      foreign,
    },
  });
}

/** Whether the answer is another model's. */
export function isForeign(call: Call, model: string, sameModel: boolean): boolean {
  return call.foreign || (model !== call.model && !sameModel);
}

/** An address of Azure's names the deployment in its path. */
export function withOtherDeployment(address: string, from: string, to: string): string {
  if (from === to) return address;
  return address.replace(DEPLOYMENT, () => `/deployments/${encodeURIComponent(to)}/`);
}
