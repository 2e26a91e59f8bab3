import { type HandlerOptions, type HttpHandler, handler } from "../../src/http/index.ts";
import { createOptimizer, type Optimizer, type OptimizerOptions } from "../../src/index.ts";
import { VirtualClock } from "../../src/testing/index.ts";

export const TOKEN = "canary-token-0123456789";
export const BEARER = { authorization: `Bearer ${TOKEN}` };

export interface Desk {
  readonly clock: VirtualClock;
  readonly optimizer: Optimizer;
  readonly handle: HttpHandler;
  ask(path: string, init?: RequestInit & { readonly at?: string }): Promise<Response>;
  close(): Promise<void>;
}

/** A handler in virtual time that is asked without a network. */
export function openDesk(options: HandlerOptions = {}, optimizerOptions: OptimizerOptions = {}): Desk {
  const clock = new VirtualClock();
  const optimizer = createOptimizer({ clock, environment: {}, ...optimizerOptions });
  const handle = handler(optimizer, options);
  return {
    clock,
    optimizer,
    handle,
    ask: (path, { at = "http://127.0.0.1:9464", ...init } = {}) => handle(new Request(`${at}${path}`, init)),
    async close() {
      handle.close();
      await optimizer.close();
    },
  };
}

export async function errorCode(response: Response): Promise<string> {
  return ((await response.json()) as { error: { code: string } }).error.code;
}

/** Makes calls that end at once; `fails` says which ones get no answer. */
export async function makeCalls(optimizer: Optimizer, count: number, fails: (n: number) => boolean = () => false) {
  for (let n = 0; n < count; n++) {
    await optimizer
      .call({ model: "model-a", input: `question ${n}` }, () => {
        if (fails(n)) throw Object.assign(new Error("secret words of the provider"), { status: 503 });
        return "answer";
      })
      .catch(() => {});
  }
}
