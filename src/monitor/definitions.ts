import { type FaultKind, PROVIDER_FAULTS } from "../core/index.ts";
import { CALL_DEFINITIONS } from "./call-definitions.ts";
import { POLICY_DEFINITIONS } from "./policy-definitions.ts";

/** Every metric that the monitor feeds by itself. */
export const DEFINITIONS = { ...CALL_DEFINITIONS, ...POLICY_DEFINITIONS } as const;

/** A number that is made of others when it is asked for. */
export interface DerivedMetric {
  readonly name: string;
  readonly unit: string;
  readonly labels: readonly string[];
  readonly description: string;
  /** The counter whose total is divided by the part of itself that has the labels `per`. */
  readonly of: string;
  readonly per: Readonly<Record<string, string>>;
}

export const AMPLIFICATION: DerivedMetric = {
  name: "breakwater.amplification",
  unit: "1",
  labels: ["op", "provider", "model"],
  description: "Attempts per call that reached the provider: 1 when nothing is retried.",
  of: DEFINITIONS.attempts.name,
  per: { kind: "first" },
};

/** Faults that an operator can do something about; the caller's own mistakes are not among them. */
export const SERVICE_ERRORS: readonly FaultKind[] = [
  ...PROVIDER_FAULTS,
  "rate_limited",
  "quota_exhausted",
  "bad_credential",
  "unknown",
];
