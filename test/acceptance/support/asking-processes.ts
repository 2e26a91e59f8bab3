import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import type { Done, Order } from "./asking-child.ts";

const CHILD = join(import.meta.dirname, "asking-child.ts");

/** A provider of its own process, that counts what it is asked. */
export interface CountingProvider {
  readonly url: string;
  /** Questions in the order they came, without those that warm processes up. */
  readonly asked: string[];
  status: number;
  latencyMs: number;
  close(): Promise<void>;
}

export async function startProvider(latencyMs: number): Promise<CountingProvider> {
  const server = createServer((request, response) => {
    const question = new URL(request.url ?? "", "http://provider").searchParams.get("q") ?? "";
    if (!question.startsWith("warming")) provider.asked.push(question);
    const number = provider.asked.length;
    setTimeout(() => response.writeHead(provider.status).end(`answer ${number}`), provider.latencyMs);
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  const provider: CountingProvider = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    asked: [],
    status: 200,
    latencyMs,
    close: async () => {
      server.closeAllConnections();
      server.close();
    },
  };
  return provider;
}

export interface AskingProcess {
  readonly child: ChildProcess;
  order(order: Omit<Order, "id">): Promise<Done>;
  kill(): Promise<void>;
}

let orders = 0;

export async function startProcess(redisUrl: string, providerUrl: string, cache: object = {}): Promise<AskingProcess> {
  const child = fork(CHILD, [redisUrl, providerUrl, JSON.stringify(cache)]);
  const waiting = new Map<number, (done: Done) => void>();
  child.on("message", (message: Done | "ready") => {
    if (message !== "ready") waiting.get(message.id)?.(message);
  });
  await once(child, "message");
  return {
    child,
    order: (order) =>
      new Promise((resolve) => {
        const id = ++orders;
        waiting.set(id, (done) => {
          waiting.delete(id);
          resolve(done);
        });
        child.send({ ...order, id });
      }),
    kill: async () => {
      if (child.exitCode !== null || child.signalCode !== null) return;
      const ended = once(child, "exit");
      child.kill("SIGKILL");
      await ended;
    },
  };
}
