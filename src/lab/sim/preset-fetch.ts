import { type Clock, OptionError, systemClock, type Timer } from "../../core/index.ts";
import { createProviderModel, type Fetch, type ProviderModel } from "../../testing/index.ts";
import { FAULT_PRESETS, type FaultPreset, type PresetFault } from "./fault-presets.ts";

export interface PresetFetchOptions {
  /** Default real time. */
  readonly clock?: Clock | undefined;
  /** Default 1. */
  readonly seed?: number | undefined;
  /** Models that are spared the fault. Default `["fallback"]`. */
  readonly spared?: readonly string[] | undefined;
}

/** Failoverbench's healthy answer: 60 tokens, 15 ms apart. The first comes after 100 ms. */
const HEALTHY = {
  latency: { firstToken: 100, firstTokenSigma: 0, perToken: 15, perTokenSigma: 0, perInputToken: 0 },
  outputTokens: 60,
} as const;
const STALL_MS = 30_000;

/**
 * A provider that fails as the preset says, as a `fetch` function that carries it as `provider`. The models of `spared`
 * answer; in S14 they take no request that ends with a message of the assistant.
 *
 * Throws `OptionError` for an id that there is not.
 */
export function presetFetch(
  id: FaultPreset["id"],
  { clock = systemClock, seed = 1, spared = ["fallback"] }: PresetFetchOptions = {},
): Fetch & { readonly provider: ProviderModel } {
  const preset = FAULT_PRESETS.find((one) => one.id === id);
  if (preset === undefined)
    throw new OptionError("preset", id, `one of ${FAULT_PRESETS.map((one) => one.id).join(", ")}`);
  const { fault, lasts } = preset;
  const startedAt = clock.now();
  const tampering = tamperingOf(fault, clock);
  const applies = (index: number): boolean => {
    if (lasts === "once") return index === 0;
    return lasts === undefined || clock.now() - startedAt < lasts.forMs;
  };
  const provider = createProviderModel({
    ...HEALTHY,
    clock,
    seed,
    faults: ({ index, model }) => (isScripted(fault) && !spared.includes(model) && applies(index) ? fault : undefined),
  });
  const fetch: Fetch = async (input, init) => {
    const { model, messages } = readBody(init);
    const healthy = spared.includes(model);
    if (healthy && id === "S14" && messages?.at(-1)?.role === "assistant") return rejection(PREFILL);
    const reply = await provider.fetch(input, init);
    return healthy || tampering === undefined ? reply : tampering(reply);
  };
  return Object.assign(fetch, { provider });
}

const OWN_KINDS = ["rejected", "stall", "noDone"];

function isScripted(fault: PresetFault): fault is Exclude<PresetFault, { kind: "rejected" | "stall" | "noDone" }> {
  return typeof fault === "string" || !OWN_KINDS.includes(fault.kind);
}

/** What the simulated provider has no fault for is done to its answer. */
function tamperingOf(fault: PresetFault, clock: Clock): ((reply: Response) => Response) | undefined {
  if (isScripted(fault)) return undefined;
  if (fault.kind === "rejected") {
    return (reply) => {
      void reply.body?.cancel();
      return rejection(fault.code === "context_length_exceeded" ? TOO_LONG : FILTERED);
    };
  }
  if (fault.kind === "noDone") {
    return (reply) => withEvents(reply, (event) => (event.startsWith("data: [DONE]") ? undefined : event));
  }
  return (reply) => stalled(reply, fault.afterChunks, clock);
}

/** The reply with its events as `change` gives them: without one, or not before a promise resolves. */
function withEvents(reply: Response, change: (event: string) => Change, cancel?: () => void): Response {
  const decoder = new TextDecoder();
  const events = new TransformStream<Uint8Array, Uint8Array>({
    async transform(bytes, controller) {
      // The simulated provider sends whole events.
      for (const event of decoder.decode(bytes).split(/(?<=\n\n)/)) {
        const changed = await change(event);
        if (changed === "end") return controller.terminate();
        if (changed !== undefined) controller.enqueue(ENCODER.encode(changed));
      }
    },
    ...(cancel !== undefined && { cancel }),
  });
  return new Response(reply.body?.pipeThrough(events) ?? null, reply);
}

type Change = string | undefined | Promise<"end">;

const ENCODER = new TextEncoder();

function stalled(reply: Response, afterChunks: number, clock: Clock): Response {
  let contents = 0;
  let stall: Timer | undefined;
  const change = (event: string): Change => {
    if (!/"content":"[^"]/.test(event) || contents++ < afterChunks) return event;
    return new Promise((resolve) => {
      stall = clock.timer(STALL_MS, () => resolve("end"));
    });
  };
  return withEvents(reply, change, () => stall?.cancel());
}

interface ErrorWords {
  readonly code: string;
  readonly message: string;
}

const TOO_LONG: ErrorWords = {
  code: "context_length_exceeded",
  message: "This model's maximum context length is 8192 tokens. Please reduce the length of the messages.",
};
const FILTERED: ErrorWords = {
  code: "content_policy_violation",
  message: "Your request was rejected as a result of our safety system.",
};
const PREFILL: ErrorWords = {
  code: "invalid_request",
  message: "This model does not support a conversation that ends with an assistant message.",
};

function rejection({ code, message }: ErrorWords): Response {
  const error = { message, type: "invalid_request_error", param: "messages", code };
  return Response.json({ error }, { status: 400 });
}

interface AskedBody {
  readonly model: string;
  readonly messages?: readonly { readonly role: string }[];
}

function readBody(init: RequestInit | undefined): AskedBody {
  try {
    return JSON.parse(String(init?.body)) as AskedBody;
  } catch {
    return { model: "" };
  }
}
