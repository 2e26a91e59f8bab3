import { expect, it } from "vitest";
import { pipeline } from "../../../src/core/index.ts";
import { cache } from "../../../src/policies/cache/index.ts";
import { ByteServer, mapTier, serverTier } from "../cache/support/stores.ts";
import { HOURS, SIMILAR, stage } from "./stage.ts";

it("gives nothing old while nobody tells of invalidations by other processes", async () => {
  const server = new ByteServer();
  const on = stage({}, (policy, runtime) =>
    pipeline(cache({ tiers: [mapTier(), serverTier(server, { watch: true })], maxStaleOnGap: "5s" }, runtime), policy),
  );
  await on.clock.advance(1000);
  await on.ask(HOURS);
  await on.clock.advance(60_000);
  expect(await on.served(SIMILAR)).toBe(true);
  server.telling = false;
  await on.clock.advance(2000);
  expect(await on.served(`${SIMILAR} Thanks!`)).toBe(true);
  await on.clock.advance(4000);
  expect(await on.served(`${SIMILAR} Bye!`)).toBe(false);
});
