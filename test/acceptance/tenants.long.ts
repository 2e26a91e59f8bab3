import { expect, it } from "vitest";
import { askAsTenants } from "./support/tenants.ts";

it("no tenant is given the answer of another in a million questions, whatever their names", async () => {
  const { hits, foreign } = await askAsTenants(1_000_000);
  expect(foreign).toBe(0);
  for (const tier of ["memory", "server", "sqlite"]) expect(hits[tier]).toBeGreaterThan(10_000);
});
