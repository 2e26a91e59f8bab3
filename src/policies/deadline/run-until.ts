import {
  type Call,
  DeadlineExceededError,
  type Fault,
  type Next,
  type Outcome,
  type Reply,
  type Runtime,
  refusal,
} from "../../core/index.ts";

/**
 * Runs the rest of the line until the clock's time `dueAt`. What is not over by then is cancelled, and the caller gets
 * its answer even if somebody within does not listen. `ended` runs once, when the call is over.
 */
export function runUntil(
  { clock, events }: Runtime,
  call: Call,
  next: Next,
  dueAt: number,
  ended: (late: boolean) => void,
): Promise<Outcome> {
  const startedAt = clock.now();
  const limitMs = Math.max(0, dueAt - startedAt);
  if (limitMs === 0) {
    ended(true);
    return Promise.resolve(exceeded(limitMs));
  }
  return new Promise((resolve) => {
    const { cancellation, release } = call.cancellation.child();
    let reply: Reply | undefined;
    let late: Fault | undefined;

    const timer = clock.timer(limitMs, () => {
      late = exceeded(limitMs);
      release();
      ended(true);
      events.emit("timeout.fired", call, { phase: "total", limitMs, elapsedMs: clock.now() - startedAt });
      // The body first: it would take the cancellation for the caller's.
      if (reply?.body.kind === "stream") reply.body.fail(late);
      else resolve(late);
      cancellation.cancel(late.error);
    });
    const end = (): void => {
      if (late !== undefined) return;
      timer.cancel();
      release();
      ended(false);
    };

    void next(call.with({ cancellation, deadline: dueAt })).then((outcome) => {
      if (late !== undefined) {
        if (outcome.ok && outcome.body.kind === "stream") outcome.body.fail(late);
        return;
      }
      if (outcome.ok) {
        reply = outcome;
        outcome.settled.subscribe(end);
      } else {
        end();
      }
      resolve(outcome);
    });
  });
}

function exceeded(limitMs: number): Fault {
  return refusal(
    new DeadlineExceededError(`The call was not over within its deadline of ${Math.round(limitMs)} ms.`, {
      policy: "deadline",
    }),
  );
}
