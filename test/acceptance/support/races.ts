import fc from "fast-check";
import { type Call, type Outcome, pipeline, type Runtime, valueReply, whole } from "../../../src/core/index.ts";
import { type CacheTier, cache } from "../../../src/policies/cache/index.ts";
import { coalesce } from "../../../src/policies/coalesce/index.ts";
import type { VirtualClock } from "../../../src/testing/virtual-clock.ts";
import { valueIn } from "../../policies/cache/support/questions.ts";
import { ByteServer, mapTier, serverTier } from "../../policies/cache/support/stores.ts";
import { callOf, virtualRuntime } from "../../support/calls.ts";

const TOLD_WITHIN_MS = 3;
const CLIENTS = ["a", "b"];

/** How often everything, each tag and each client's part of the world has changed. */
type World = Record<string, number>;

/** What the answer to a question depends on. */
function partsFor(input: number): { readonly tags: string[]; readonly client: string; readonly parts: string[] } {
  const tags = input === 2 ? ["tag 0", "tag 1"] : [`tag ${input}`];
  const client = CLIENTS[input % CLIENTS.length] as string;
  return { tags, client, parts: [...tags, `client ${client}`, "everything"] };
}

const process = fc.nat(1);
const step = fc.oneof(
  { weight: 5, arbitrary: fc.record({ do: fc.constant("ask" as const), process, input: fc.nat(2) }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant("tag" as const), process, what: fc.nat(1) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("client" as const), process, what: fc.nat(1) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("clear" as const), process }) },
  { weight: 4, arbitrary: fc.record({ do: fc.constant("pass" as const), ms: fc.nat(30) }) },
);

export type Step = typeof step extends fc.Arbitrary<infer T> ? T : never;

export const histories: fc.Arbitrary<readonly Step[]> = fc.array(step, { minLength: 5, maxLength: 40 });

interface Invalidation {
  readonly part: string;
  readonly version: number;
  readonly by: number;
  resolvedAt: number;
}

export interface Setting {
  /** What a process is made of, over the servers that all share. */
  readonly tiers: () => readonly CacheTier[];
  /** Whether another process may use what it has for a moment, until it is told. */
  readonly isTold: boolean;
}

/** Two processes over one server, with or without memory of their own; two shared tiers, one above the other. */
export const SETTINGS: Readonly<Record<string, () => Setting>> = {
  "one shared tier": () => {
    const server = slowServer();
    return { tiers: () => [serverTier(server, { leases: true })], isTold: false };
  },
  "two shared tiers": () => {
    const [near, far] = [slowServer(), slowServer()];
    return { tiers: () => [serverTier(near, { name: "near" }), serverTier(far, { name: "far" })], isTold: false };
  },
  "memory over a shared tier that tells of changes": () => {
    const server = slowServer();
    return { tiers: () => [mapTier(), serverTier(server, { watch: true, leases: true })], isTold: true };
  },
};

function slowServer(): ByteServer {
  const server = new ByteServer();
  server.delayMs = 3;
  return server;
}

/** Plays a history; gives every answer that was older than an invalidation which the caller could rely on. */
export async function staleAnswers(history: readonly Step[], { tiers, isTold }: Setting): Promise<string[]> {
  const { clock, runtime } = virtualRuntime();
  const world: World = {};
  const invalidations: Invalidation[] = [];
  const processes = [0, 1].map(() => processOf(runtime, tiers()));
  const stale: string[] = [];
  const running: Promise<unknown>[] = [];
  for (const [index, action] of history.entries()) {
    if (action.do === "pass") {
      await clock.advance(action.ms);
    } else if (action.do === "ask") {
      const { tags, client, parts } = partsFor(action.input);
      const needed = invalidations.filter(
        ({ by, resolvedAt }) => by === action.process || resolvedAt + (isTold ? TOLD_WITHIN_MS : 0) <= clock.now(),
      );
      const asked = processes[action.process]?.ask(action.input, tags, client, providerOf(clock, world));
      running.push(
        (asked ?? Promise.reject()).then((outcome) => {
          const seen = valueIn(outcome) as World;
          for (const { part, version } of needed) {
            if (parts.includes(part) && (seen[part] ?? 0) < version) stale.push(`step ${index}: ${part}`);
          }
        }),
      );
    } else {
      const part = action.do === "clear" ? "everything" : `${action.do} ${partName(action)}`;
      const version = (world[part] ?? 0) + 1;
      world[part] = version;
      const invalidation: Invalidation = { part, version, by: action.process, resolvedAt: Number.POSITIVE_INFINITY };
      const { policy } = processes[action.process] as ReturnType<typeof processOf>;
      const done =
        action.do === "clear"
          ? policy.clear()
          : action.do === "tag"
            ? policy.invalidateTags([part])
            : policy.invalidateMatching({ client: partName(action) });
      invalidations.push(invalidation);
      running.push(
        done.then(() => {
          invalidation.resolvedAt = clock.now();
        }),
      );
    }
  }
  await clock.run(Promise.all(running));
  return stale;
}

function partName(action: Extract<Step, { do: "tag" | "client" }>): string {
  return action.do === "tag" ? String(action.what) : (CLIENTS[action.what] as string);
}

function providerOf(clock: VirtualClock, world: World) {
  return (): Promise<Outcome> => {
    const seen = { ...world };
    return new Promise((resolve) => clock.timer(20, () => resolve(valueReply(seen, whole()))));
  };
}

function processOf(runtime: Runtime, tiers: readonly CacheTier[]) {
  const policy = cache({ tiers }, runtime);
  const line = pipeline(policy, coalesce({}, runtime));
  return {
    policy,
    ask: (input: number, tags: readonly string[], client: string, send: (call: Call) => Promise<Outcome>) =>
      line.execute(callOf(runtime, send, { request: { input }, scope: { tags, client } })),
  };
}
