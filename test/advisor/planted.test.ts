import { describe, expect, it } from "vitest";
import { adviceFromRows, advisor, type Finding } from "../../src/advisor/index.ts";
import { callLog } from "../../src/call-log/index.ts";
import { type Planted, proseOf, workload } from "./workload.ts";

const prices = {
  "gpt-5-mini": { input: 0.25, cachedInput: 0.025, output: 2 },
  "gpt-5-pro": { input: 150, cachedInput: 75, output: 600 },
};
const CALLS = 60;
const RULES = proseOf(1, 900);

const CLEAN: readonly Planted[] = [
  { name: "translate", system: () => "You translate every word into French.", scope: { route: "translate" } },
  // A long prompt in the right order.
  { name: "triage", system: () => `You sort tickets. ${proseOf(2, 900)}` },
  // The cache does its work.
  { name: "faq", system: () => "You answer common questions.", input: (n) => `What is ${n % 5}?` },
  // Each prompt is another: nothing to be learned but from all of them.
  { name: "chat", system: (n) => `${proseOf(n + 500, 40)}` },
];

const SINS: Readonly<Record<Finding["kind"] & string, Planted | undefined>> = {
  slow: { name: "essay", system: () => "You write essays.", fault: (n) => (n % 2 === 0 ? "slow" : undefined) },
  repeated: {
    name: "lookup",
    system: () => "You look things up.",
    input: (n) => `Where is ${n % 6}?`,
    scope: { cache: "bypass" },
  },
  expensive: { name: "counsel", model: "gpt-5-pro", system: () => `You give counsel. ${proseOf(3, 700)}` },
  prompt_order: { name: "support", system: (n) => `It is 2026-11-21T10:00:${n}Z, request ${n * 7_919}. ${RULES}` },
  timeouts: {
    name: "extract",
    system: () => "You extract names.",
    fault: (n, attempt) => (n % 5 === 0 && attempt === 1 ? "silent" : undefined),
  },
  retries: {
    name: "classify",
    system: () => "You classify mails.",
    fault: (n, attempt) => (n % 3 === 0 && attempt === 1 ? "overloaded" : undefined),
  },
  slow_function: undefined,
};

describe("an advisor of planted traffic", () => {
  it("finds each sin in the calls that have it, and nothing else", { timeout: 60_000 }, async () => {
    const { optimizer, run } = workload({ monitor: { prices } });
    const watching = advisor(optimizer);
    const planted = Object.values(SINS).filter((kind) => kind !== undefined);
    await run([...CLEAN, ...planted], CALLS);
    const report = watching.report();
    expect(report.findings.map(({ kind }) => kind).toSorted()).toEqual([
      "expensive",
      "prompt_order",
      "repeated",
      "retries",
      "slow",
      "timeouts",
    ]);
    expect(report.calls).toBe(CALLS * (CLEAN.length + planted.length));
    const found = (kind: string) => report.findings.find((finding) => finding.kind === kind);
    expect(found("slow")).toMatchObject({ calls: CALLS, affected: 30, evidence: { mostlyIn: "provider" } });
    expect(found("repeated")).toMatchObject({ calls: CALLS, affected: CALLS - 6, evidence: { uncached: "bypass" } });
    expect(found("expensive")).toMatchObject({ model: "gpt-5-pro", affected: CALLS });
    expect(found("prompt_order")).toMatchObject({ model: "gpt-5-mini", evidence: { cachedShare: 0 } });
    expect(found("prompt_order")?.affected).toBeGreaterThanOrEqual(CALLS - 2);
    expect(found("timeouts")).toMatchObject({ calls: CALLS, affected: 12 });
    expect(found("retries")).toMatchObject({ affected: 20, evidence: { retries: 20, mostlyFor: "overloaded" } });
    // Each is about another template.
    expect(new Set(report.findings.map(({ template }) => template)).size).toBe(6);
    expect(JSON.stringify(report)).not.toMatch(/CANARY|essay|counsel|You /);
    await optimizer.close();
  });

  it.each(Object.entries(SINS).filter(([, planted]) => planted !== undefined))(
    "finds nothing but %s in traffic that has nothing else",
    { timeout: 60_000 },
    async (kind, planted) => {
      const { optimizer, run } = workload({ monitor: { prices } });
      const watching = advisor(optimizer);
      await run([...CLEAN, planted as Planted], 30);
      const { findings, score, reasons } = watching.report();
      expect(findings.map((finding) => finding.kind)).toEqual([kind]);
      expect(reasons.map((reason) => reason.kind)).toEqual([kind]);
      expect(score).toBeLessThan(100);
      await optimizer.close();
    },
  );

  it("finds nothing in clean traffic, and gives it all points", { timeout: 60_000 }, async () => {
    const { optimizer, run } = workload({ monitor: { prices } });
    const watching = advisor(optimizer);
    await run(CLEAN, CALLS);
    expect(watching.report()).toMatchObject({ findings: [], reasons: [], score: 100 });
    expect(watching.format()).toMatch(/score: 100 of 100\nnothing found$/);
    await optimizer.close();
  });

  it("finds the same in the log of those calls, but for the order of prompts", { timeout: 60_000 }, async () => {
    const { optimizer, run } = workload({ monitor: { prices } });
    await using log = callLog(optimizer, { path: ":memory:", fingerprints: true });
    await run([...CLEAN, ...Object.values(SINS).filter((kind) => kind !== undefined)], CALLS);
    const { findings, calls } = await adviceFromRows(log.rows());
    expect(findings.map(({ kind }) => kind).toSorted()).toEqual([
      "expensive",
      "repeated",
      "retries",
      "slow",
      "timeouts",
    ]);
    expect(calls).toBe(600);
    await optimizer.close();
  });
});
