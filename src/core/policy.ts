import type { Call } from "./call.ts";
import type { Outcome } from "./reply.ts";
import type { Runtime } from "./runtime.ts";

/** The rest of the line. It never throws and may be called more than once, also at the same time. */
export type Next = (call: Call) => Promise<Outcome>;

/**
 * Where a policy stands. The `call` ring runs once per user call, the `attempt` ring once per try; `border` is
 * what stands between them and makes tries: retry; `race` stands right within and may run two tries at once: hedge.
 * A line has at most one of each of these two.
 */
export type Ring = "call" | "border" | "race" | "attempt";

/**
 * One layer of a line.
 *
 * - May I call `next` again? Yes: each call of it is a new pass through the rest of the line.
 * - What do I see? The call as the outer policies left it; pass on `call.with(...)` to change it.
 * - What do I give back? An `Outcome`: a reply or a fault. A failure is a value; do not throw.
 * - When is the call over? When `reply.settled` opens, not when `next` resolves: a stream may still run.
 *   Whatever you hold (a slot, a timer, a lease) is given back there, and at once when `next` gave a fault.
 * - May I read the body? Watch it with `reply.body.observe`; only the client pulls it.
 * - What time is it? `runtime.clock`. Never `Date`, `setTimeout` or `Math.random`.
 */
export interface Policy {
  /** Short and stable: `cache`, `retry`. Events, refusals and traces carry it. */
  readonly name: string;
  readonly ring: Ring;
  /** What the policy was built with; absent for one that needs neither time nor events. */
  readonly runtime?: Runtime;
  handle(call: Call, next: Next): Promise<Outcome>;
  /** Gives back timers, connections and waiting calls. */
  close?(): void | Promise<void>;
}
