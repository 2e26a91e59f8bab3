import { beforeEach, describe, expect, it } from "vitest";
import { Link, scriptOf } from "../../src/cluster/link.ts";
import { Commands, type Connection } from "../../src/redis/index.ts";
import { VirtualClock } from "../../src/testing/index.ts";

const SCRIPT = scriptOf("return 1");

let clock: VirtualClock;
let answer: () => Promise<unknown>;
let heard: string[];
let link: Link;

beforeEach(async () => {
  clock = new VirtualClock();
  heard = [];
  answer = async () => "ok";
  const connection: Connection = {
    firstTry: Promise.resolve(),
    send: () => answer(),
    failure: () => new Error("away"),
    hold: () => {},
    release: () => {},
    giveUp: () => heard.push("given up"),
    close: () => {},
  };
  const limit = { ms: 1_000, after: (ms: number, fn: () => void) => clock.background(ms, fn) };
  link = new Link(
    new Commands(connection, limit),
    clock,
    { timeoutMs: 75, connectMs: 500 },
    {
      lost: (reason) => heard.push(`lost: ${reason}`),
      found: () => heard.push("found"),
      demoted: () => heard.push("demoted"),
    },
  );
  await clock.run(link.run(SCRIPT, ["key"]));
});

const failing = (message: string) => async () => {
  throw new Error(message);
};
const answeringAfter = (ms: number) => () => new Promise<unknown>((resolve) => clock.timer(ms, () => resolve("late")));
const run = () => clock.run(link.run(SCRIPT, ["key"]).catch(() => "failed"));

describe("the way to the server", () => {
  it("is lost by one answer that comes too late, which is given all the same, and found by one in time", async () => {
    answer = answeringAfter(200);
    expect(await run()).toBe("late");
    expect([link.reachable, link.lostAt]).toEqual([false, 75]);
    answer = answeringAfter(200);
    await run();
    answer = answeringAfter(10);
    await run();
    expect(link.reachable).toBe(true);
    expect(heard).toEqual(["lost: no answer within 75 ms", "found"]);
  });

  it("gives up a connection that never answers", async () => {
    answer = () => new Promise(() => {});
    expect(await run()).toBe("failed");
    expect(heard).toEqual(["lost: no answer within 75 ms", "given up"]);
  });

  it("leads no longer to a server that has become a replica, also if it was lost before", async () => {
    answer = answeringAfter(200);
    await run();
    answer = failing("READONLY You can't write against a read only replica.");
    await run();
    await run();
    expect(heard).toEqual(["lost: no answer within 75 ms", "demoted", "demoted"]);
  });

  it("teaches a script to a server that does not know it", async () => {
    const trips = link.trips;
    let asked = 0;
    answer = async () => {
      if (asked++ === 0) throw new Error("NOSCRIPT No matching script.");
      return "ok";
    };
    expect(await run()).toBe("ok");
    expect(link.trips - trips).toBe(2);
    expect(heard).toEqual([]);
  });
});
