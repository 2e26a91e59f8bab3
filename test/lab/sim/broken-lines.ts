import { callThrough, createFetch } from "../../../src/clients/index.ts";
import { aborted, type Policy, pipeline, type Runtime } from "../../../src/core/index.ts";
import { createOptimizer, type Optimizer, type OptimizerOptions } from "../../../src/optimizer.ts";

/** An optimizer whose line has one more policy: outermost, or right before the provider. */
function withPolicy(where: "outermost" | "innermost", make: (runtime: Runtime) => Policy) {
  return (options: OptimizerOptions): Optimizer => {
    const real = createOptimizer(options);
    const policy = make(real.line.runtime);
    const { policies } = real.line;
    const line = where === "outermost" ? pipeline(policy, ...policies) : pipeline(...policies, policy);
    return {
      ...real,
      line,
      fetch: createFetch(line, { fetch: options.fetch }),
      call: (request, fn, callOptions) => callThrough(line, request, fn, callOptions),
      close: async () => {
        await policy.close?.();
        await real.close();
      },
    };
  };
}

/** Forgets the lease of a call that fails. */
export const leaking = withPolicy("innermost", ({ ledger }) => ({
  name: "leaking",
  ring: "attempt",
  async handle(call, next) {
    const lease = ledger.account("leaked").reserve(1);
    const outcome = await next(call);
    if (outcome.ok) outcome.settled.subscribe(() => lease.settle());
    return outcome;
  },
}));

/** Takes the end of a broken stream for a good one. */
export const forgiving = withPolicy("innermost", () => ({
  name: "forgiving",
  ring: "attempt",
  async handle(call, next) {
    const outcome = await next(call);
    if (!outcome.ok || outcome.body.kind !== "stream") return outcome;
    const { body } = outcome;
    const pull = body.next.bind(body);
    body.next = async () => {
      const chunk = await pull();
      return chunk?.role === "content" && body.chunkCount === 2 ? pull() : chunk;
    };
    return outcome;
  },
}));

/** Leaves a timer behind with every call. */
export const ticking = withPolicy("outermost", ({ clock }) => ({
  name: "ticking",
  ring: "call",
  handle(call, next) {
    clock.background(86_400_000, () => {});
    return next(call);
  },
}));

/** Goes on with what nobody waits for any more. */
export const stubborn = withPolicy("outermost", ({ clock }) => ({
  name: "stubborn",
  ring: "call",
  async handle(call, next) {
    const outcome = await next(call);
    if (!outcome.ok && outcome.kind === "aborted") await new Promise<void>((resolve) => clock.timer(50, resolve));
    return outcome;
  },
}));

/** Sends everything twice. */
export const doubling = withPolicy("innermost", () => ({
  name: "doubling",
  ring: "attempt",
  async handle(call, next) {
    const [first] = await Promise.all([next(call), next(call)]);
    return first ?? aborted(undefined);
  },
}));

/** Loses every tenth call. */
export const losing = withPolicy("innermost", () => {
  let count = 0;
  return {
    name: "losing",
    ring: "attempt",
    handle: (call, next) => (++count % 10 === 0 ? new Promise(() => {}) : next(call)),
  };
});

/** Puts the prompt into an event. */
export const talkative = withPolicy("outermost", ({ events }) => ({
  name: "talkative",
  ring: "call",
  handle(call, next) {
    events.emit("breaker.half_opened", call, { key: JSON.stringify(call.request) });
    return next(call);
  },
}));
