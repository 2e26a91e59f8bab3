// Two processes' worth of optimizers over one Redis: one asks, both answer, and an invalidation reaches the other's memory.
// Needs the program redis-server, which it starts itself.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createServer } from "node:net";
import { createOptimizer, memory, type Optimizer, redis } from "breakwater";

const probe = createServer().listen(0);
const { port } = probe.address() as { port: number };
probe.close();
const server = spawn("redis-server", ["--port", String(port), "--save", ""], { stdio: ["ignore", "pipe", "ignore"] });
for await (const line of server.stdout) if (String(line).includes("Ready to accept")) break;

const open = (): Optimizer =>
  createOptimizer({ cache: { tiers: [memory(), redis({ url: `redis://127.0.0.1:${port}` })] } });
const [one, two] = [open(), open()];

let asked = 0;
const ask = (optimizer: Optimizer): Promise<string> =>
  optimizer.call({ model: "my-model", input: "Opening hours?" }, async () => `answer ${++asked}`, { tags: ["faq"] });

console.log("both ask at once:     ", await Promise.all([ask(one), ask(two)]), "asked", asked);
console.log("again, from memory:   ", await Promise.all([ask(one), ask(two)]), "asked", asked);
await one.cache.invalidateTags(["faq"]);
await new Promise((resolve) => setTimeout(resolve, 100));
console.log("after one invalidates:", [await ask(two), await ask(one)], "asked", asked);

server.kill("SIGKILL");
await once(server, "exit");
console.log("without Redis:        ", await Promise.all([ask(one), ask(two)]), "asked", asked);
await Promise.all([one.close(), two.close()]);
