import { expect, it } from "vitest";
import { askAlikeAsTenants, askAsTenants } from "./support/tenants.ts";

it("no tenant is given the answer of another, from any tier, whatever their names", async () => {
  const { hits, foreign } = await askAsTenants(5000);
  expect(foreign).toBe(0);
  for (const tier of ["memory", "server", "sqlite"]) expect(hits[tier]).toBeGreaterThan(50);
});

it("nor from a semantic cache that takes every question for every other one", async () => {
  const { hits, foreign } = await askAlikeAsTenants(3000);
  expect(foreign).toBe(0);
  expect(hits).toBeGreaterThan(2000);
});
