import { expect, it } from "vitest";
import { askAsTenants } from "./support/tenants.ts";

it("no tenant is given the answer of another, from any tier, whatever their names", async () => {
  const { hits, foreign } = await askAsTenants(5000);
  expect(foreign).toBe(0);
  for (const tier of ["memory", "server", "sqlite"]) expect(hits[tier]).toBeGreaterThan(50);
});
