// What a cache would have saved of a trace, by policy and size: a table, and a chart in a file.
import { mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gdsf, lru, sieve, wTinyLfu } from "breakwater/eviction";
import { formatSimulation, plotSimulation, simulateCache, syntheticTrace } from "breakwater/lab";

// Requests of your own go here, one object each: { key, bytes, cost }; readJsonTrace reads them from a file.
const trace = syntheticTrace({ requests: 100_000, questions: 20_000, oneHitShare: 0.4, driftEvery: 100 });

const simulation = simulateCache(trace, {
  policies: [gdsf(), lru(), sieve(), wTinyLfu()],
  sizes: [0.01, 0.05, 0.2],
});
console.log(formatSimulation(simulation));

const file = join(mkdtempSync(join(tmpdir(), "breakwater-")), "cost-saved.svg");
writeFileSync(file, plotSimulation(simulation));
console.log(`\nThe chart is in ${file}`);
