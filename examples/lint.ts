// Options that are each right and do not go together, and what to change.
import { formatFindings, lint } from "breakwater";

const findings = lint(
  {
    environment: {},
    retry: { attempts: 4 },
    timeout: { total: "60s", firstToken: "20s", attempt: "50s" },
    rateLimit: { requestsPerMinute: 600, perClient: { requestsPerMinute: 600 } },
    pool: { concurrency: 16, maxQueue: 2000 },
  },
  { callsPerSecond: 8, latency: "4s", clientRetries: 2 },
);
console.log(formatFindings(findings));
