// Work that is no call, under the limits of those that are: two slots, and two requests a minute for one client.
import { createOptimizer, isRefusedError } from "breakwater";

const optimizer = createOptimizer({
  pool: { concurrency: 2 },
  rateLimit: { perClient: { requestsPerMinute: 2 } },
});
const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
const running = () => (optimizer.stats().policies["pool"] as { running: number }).running;

{
  using lease = await optimizer.acquire({ tokens: 500, client: "ann" });
  await pause(20);
  lease.settle({ inputTokens: 420, outputTokens: 35 });
  console.log("settled");
}

console.log(
  await optimizer.executeWithProtection(async () => {
    console.log("slots taken meanwhile:", running());
    return "done once";
  }, "ann"),
);

try {
  await optimizer.acquire({ client: "ann", deadline: "1s" });
} catch (error) {
  if (!isRefusedError(error)) throw error;
  console.log("ann", error.code, `again in ${Math.ceil((error.retryAfterMs ?? 0) / 1000)} s`);
}

console.log("slots taken at the end:", running(), "tokens:", optimizer.ledger()["tokens"]);
await optimizer.close();
