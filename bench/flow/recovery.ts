/**
 * Five times too much load of calls that last 30 to 90 s, and an outage of a minute, in virtual time: how soon the provider
 * is filled at the start and after the outage, how much of what it is sent it has to refuse, and what it is sent while it
 * is dead. Beside client throttling alone, as in Google's "Site Reliability Engineering", chapter 21, and a limit that is
 * known beforehand. Run with: node --expose-gc bench/flow/recovery.ts
 */
import { type Policy, type Runtime, refusal, ThrottleError } from "../../src/core/index.ts";
import { throttle } from "../../src/policies/throttle/index.ts";
import { CAPACITY, throughOutage } from "../../test/policies/throttle/outage-load.ts";
import { atMost, type Figures, type Measured, overSeeds, printFigures } from "./harness.ts";

const WINDOW_MS = 120_000;

/**
 * Refuses the share `(requests - k * accepts) / (requests + 1)` of the last two minutes. A call that is sent counts as a
 * request when it comes, or when it is over.
 */
function clientThrottling(k: number, counted: "coming" | "over", { clock, random }: Runtime): Policy {
  const requests: number[] = [];
  const accepts: number[] = [];
  const recent = (times: number[]): number => {
    while ((times[0] ?? Number.POSITIVE_INFINITY) <= clock.now() - WINDOW_MS) times.shift();
    return times.length;
  };
  return {
    name: "client throttling",
    ring: "attempt",
    async handle(call, next) {
      const refused = (recent(requests) - k * recent(accepts)) / (recent(requests) + 1);
      const isRefused = random() < refused;
      if (isRefused || counted === "coming") requests.push(clock.now());
      if (isRefused) return refusal(new ThrottleError("full", { policy: "client throttling" }));
      const over = (accepted: boolean): void => {
        if (counted === "over") requests.push(clock.now());
        if (accepted) accepts.push(clock.now());
      };
      const outcome = await next(call);
      if (outcome.ok) outcome.settled.subscribe(({ fault }) => over(fault === undefined));
      else over(false);
      return outcome;
    },
  };
}

const CANDIDATES: Readonly<Record<string, (runtime: Runtime) => Policy>> = {
  "throttle()": (runtime) => throttle({ initial: CAPACITY }, runtime),
  "... with clientThrottling": (runtime) => throttle({ initial: CAPACITY, clientThrottling: true }, runtime),
  "client throttling, k = 2": (runtime) => clientThrottling(2, "over", runtime),
  "client throttling, k = 1.1": (runtime) => clientThrottling(1.1, "over", runtime),
  "k = 2, counted as they come": (runtime) => clientThrottling(2, "coming", runtime),
  "the capacity, known": (runtime) => throttle({ adaptive: false, initial: CAPACITY }, runtime),
};

const results: Record<string, Measured<Figures>> = {};
for (const [name, policyOf] of Object.entries(CANDIDATES)) {
  results[name] = await overSeeds(async ({ seed }) => {
    const { coldStart, rejectedShare, sentInOutage, recovery } = await throughOutage(seed, true, policyOf);
    return {
      "start, s": coldStart,
      "refused there": rejectedShare,
      "sent while dead": sentInOutage,
      "back, s": recovery,
    };
  });
}
printFigures("five times too much load and an outage of a minute", results, {
  "start, s": atMost(5),
  "refused there": atMost(0.1),
  "back, s": atMost(60),
});
