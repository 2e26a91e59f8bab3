import { type Policy, pipeline, type Runtime } from "../../../src/core/index.ts";
import { callOf, drain, virtualRuntime } from "../../support/calls.ts";
import { SharingServer } from "./sharing-server.ts";

/** Calls that the provider can work on at full speed. */
export const CAPACITY = 64;

export interface OutageFigures {
  /** Seconds until the provider is filled to 95 %, at the start. */
  readonly coldStart: number;
  /** Of what it was sent under steady overload. */
  readonly rejectedShare: number;
  readonly sentInOutage: number;
  /** As `coldStart`, after the outage. */
  readonly recovery: number;
}

/** Five times as many calls of 30 to 90 s as the provider can take; it is dead from 360 s to 420 s. Virtual time. */
export async function throughOutage(
  seed: number,
  stream: boolean,
  policyOf: (runtime: Runtime) => Policy,
): Promise<OutageFigures> {
  const { clock, runtime } = virtualRuntime(seed);
  const alive = { capacity: CAPACITY, rejectBeyond: 1.25 * CAPACITY };
  const provider = new SharingServer(runtime, { ...alive, speed: 10, meanTokens: 600, evenLengths: true, noise: 0.2 });
  const line = pipeline(policyOf(runtime));
  const one = async (): Promise<void> => {
    const outcome = await line.execute(callOf(runtime, provider.send, { stream, scope: { deadline: "3m" } }));
    if (outcome.ok && outcome.body.kind === "stream") await drain(outcome.body);
  };
  const perSecond = (5 * CAPACITY) / 60;
  const arrive = (): void => {
    void one();
    clock.timer((-1000 * Math.log(1 - runtime.random())) / perSecond, arrive);
  };
  for (let index = 0; index < CAPACITY; index++) void one();
  arrive();
  const secondsToFill = async (): Promise<number> => {
    for (let second = 1; second <= 200; second++) {
      await clock.advance(1_000);
      if (provider.inFlight >= 0.95 * CAPACITY) return second;
    }
    return Number.POSITIVE_INFINITY;
  };
  const coldStart = await secondsToFill();
  await clock.advance(120_000 - clock.now());
  const before = { finished: provider.finished, rejected: provider.rejected };
  await clock.advance(240_000);
  const finished = provider.finished - before.finished;
  const rejected = provider.rejected - before.rejected;
  provider.change({ rejectBeyond: 0 });
  provider.die();
  const rejectedBefore = provider.rejected;
  await clock.advance(60_000);
  const sentInOutage = provider.rejected - rejectedBefore;
  provider.change(alive);
  return { coldStart, rejectedShare: rejected / (rejected + finished), sentInOutage, recovery: await secondsToFill() };
}
