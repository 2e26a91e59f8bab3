import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { type RedisServer, startRedis } from "../support/redis-server.ts";
import { type AskingProcess, type CountingProvider, startProcess, startProvider } from "./support/asking-processes.ts";

const PROCESSES = 4;
const CALLERS = 10_000;
// Processes that wait for a processor must not take their Redis for one that is down.
const CACHE = { tierTimeout: "10s", lease: "1s" };

let server: RedisServer;
let provider: CountingProvider;
let processes: readonly AskingProcess[];

beforeAll(async () => {
  [server, provider] = await Promise.all([startRedis(), startProvider(50)]);
  processes = await Promise.all(Array.from({ length: PROCESSES }, () => startProcess(server.url, provider.url, CACHE)));
});

afterAll(async () => {
  await Promise.all(processes.map((process) => process.kill()));
  await Promise.all([provider.close(), server.stop()]);
});

beforeEach(() => {
  provider.asked.length = 0;
  provider.status = 200;
  provider.latencyMs = 50;
});

const askEverywhere = (question: string, callers: number) =>
  Promise.all(processes.map((process) => process.order({ do: "ask", question, callers })));

describe(`callers in ${PROCESSES} processes with the same question`, () => {
  it(`cost one request, ${CALLERS} of them, and all get its answer`, async () => {
    for (const question of ["first", "second", "third"]) {
      const done = await askEverywhere(question, CALLERS / PROCESSES);
      expect(done.map(({ failed }) => failed)).toEqual(processes.map(() => 0));
      expect(new Set(done.flatMap(({ answers }) => answers)).size).toBe(1);
    }
    expect(provider.asked).toEqual(["first", "second", "third"]);
  });

  it("all learn of the provider's failure, each process by a request of its own at most", async () => {
    provider.status = 503;
    const done = await askEverywhere("failing", 250);
    expect(done.map(({ failed }) => failed)).toEqual(processes.map(() => 250));
    expect(provider.asked.length).toBeLessThanOrEqual(PROCESSES);
  });

  it("cost one more when the process that asks is killed", async () => {
    provider.latencyMs = 300;
    const [doomed, ...others] = processes as [AskingProcess, ...AskingProcess[]];
    void doomed.order({ do: "ask", question: "abandoned", callers: 100 });
    while (provider.asked.length === 0) await new Promise((resolve) => setTimeout(resolve, 5));
    const done = others.map((process) => process.order({ do: "ask", question: "abandoned", callers: 100 }));
    await doomed.kill();
    expect((await Promise.all(done)).map(({ failed }) => failed)).toEqual(others.map(() => 0));
    expect(provider.asked).toHaveLength(2);
  });
});
