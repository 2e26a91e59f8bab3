// Four processes share one quota over Redis, and go on alone while it is away.
// Needs the program redis-server, which it starts itself.
import { fork, spawn } from "node:child_process";
import { once } from "node:events";
import { createServer } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { createOptimizer } from "breakwater";
import { cluster } from "breakwater/cluster";

const PROCESSES = 4;
const REQUESTS_PER_MINUTE = 3_000;

async function work(url: string): Promise<void> {
  const optimizer = createOptimizer({
    cluster: cluster({ url }),
    rateLimit: { requestsPerMinute: REQUESTS_PER_MINUTE },
    cache: false,
    pool: false,
  });
  let answered = 0;
  let asked = 0;
  const ask = (): Promise<unknown> =>
    optimizer.call({ model: "my-model", input: `question ${asked++}` }, async () => ++answered).catch(() => {});
  const asking = setInterval(() => void ask(), 10);
  const telling = setInterval(() => {
    process.send?.(answered);
    answered = 0;
  }, 100);
  await once(process, "disconnect");
  clearInterval(asking);
  clearInterval(telling);
  await optimizer.close();
  process.exit();
}

async function show(): Promise<void> {
  const probe = createServer().listen(0);
  const { port } = probe.address() as { port: number };
  probe.close();
  const startServer = async () => {
    const server = spawn("redis-server", ["--port", String(port), "--save", ""], {
      stdio: ["ignore", "pipe", "ignore"],
    });
    for await (const line of server.stdout) if (String(line).includes("Ready to accept")) break;
    return server;
  };
  const server = await startServer();

  let answered: number[] = [];
  const workers = Array.from({ length: PROCESSES }, () => fork(import.meta.filename, [`redis://127.0.0.1:${port}`]));
  for (const worker of workers) worker.on("message", (count) => answered.push(Number(count)));
  await Promise.all(workers.map((worker) => once(worker, "message")));

  const watch = async (what: string): Promise<void> => {
    // What may come at once does so at the beginning.
    await sleep(700);
    answered = [];
    await sleep(1_500);
    const perSecond = Math.round(answered.reduce((sum, count) => sum + count, 0) / 1.5);
    console.log(`${what.padEnd(16)} ${perSecond} of ${REQUESTS_PER_MINUTE / 60} calls/s, ${PROCESSES * 100} asked for`);
  };
  await watch("together");
  server.kill("SIGKILL");
  await watch("without Redis");
  const again = await startServer();
  await watch("Redis is back");

  for (const worker of workers) worker.disconnect();
  await Promise.all(workers.map((worker) => once(worker, "exit")));
  again.kill("SIGKILL");
}

const [url] = process.argv.slice(2);
if (url !== undefined) {
  await work(url);
} else {
  await show().catch((error: unknown) => {
    if ((error as { code?: unknown }).code !== "ENOENT") throw error;
    console.log('This example needs the program redis-server (Debian: "apt-get install redis-server").');
  });
}
