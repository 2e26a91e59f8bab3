import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { connect, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Readable } from "node:stream";

/** A real Redis of the test's own, keeping nothing on disk. */
export interface RedisServer {
  readonly url: string;
  readonly port: number;
  readonly pid: number;
  /** Freezes it: connections stay, nothing is answered. */
  pause(): void;
  resume(): void;
  /** Ends it at once, as a crash would. */
  kill(): Promise<void>;
  /** Starts it again, empty, on the same port; ends it first if it runs. */
  restart(): Promise<void>;
  /** Ends it for good. */
  stop(): Promise<void>;
}

/**
 * Starts a `redis-server` on a free port of 127.0.0.1, with more settings as on its command line. It ends with this
 * process at the latest, however that ends.
 */
export function startRedis(...settings: string[]): Promise<RedisServer> {
  return startServer("redis-server", settings);
}

/** As `startRedis`, with a `valkey-server`. */
export function startValkey(...settings: string[]): Promise<RedisServer> {
  return startServer("valkey-server", settings);
}

export function isInstalled(program: "redis-server" | "valkey-server"): boolean {
  return spawnSync(program, ["--version"]).status === 0;
}

async function startServer(program: string, settings: readonly string[]): Promise<RedisServer> {
  const folder = mkdtempSync(join(tmpdir(), "breakwater-redis-"));
  const port = await freePort();
  let running = await launch(program, port, folder, settings);

  return {
    url: `redis://127.0.0.1:${port}`,
    port,
    get pid() {
      return running.pid;
    },
    pause: () => void process.kill(running.pid, "SIGSTOP"),
    resume: () => void process.kill(running.pid, "SIGCONT"),
    kill: () => running.kill(),
    restart: async () => {
      await running.kill();
      running = await launch(program, port, folder, settings);
    },
    stop: async () => {
      await running.kill();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

// A process that is killed cannot end its children. The kernel closes its end of a pipe, and a shell waits for that.
const SHELL = `
  "$0" "$@" >/dev/null 2>&1 3<&- & server=$!
  (cat <&3 >/dev/null; kill -9 $server 2>/dev/null) >/dev/null 2>&1 & watcher=$!
  echo $server
  wait $server
  kill $watcher`;

interface Running {
  readonly pid: number;
  kill(): Promise<void>;
}

async function launch(program: string, port: number, folder: string, settings: readonly string[]): Promise<Running> {
  const fixed = ["--port", String(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--dir", folder];
  const options = [...fixed, ...settings];
  const shell = spawn("sh", ["-c", SHELL, program, ...options], { stdio: ["ignore", "pipe", "ignore", "pipe"] });
  const ended = once(shell, "exit");
  let hasEnded = false;
  void ended.then(() => {
    hasEnded = true;
  });
  const [line] = await once(shell.stdout as Readable, "data");
  const pid = Number.parseInt(String(line), 10);
  while (!(await accepts(port))) {
    if (hasEnded) throw new Error(`${program} does not start; is it installed (Debian: "apt-get install ${program}")?`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  return {
    pid,
    kill: async () => {
      if (!hasEnded) process.kill(pid, "SIGKILL");
      await ended;
      shell.stdio[3]?.destroy();
    },
  };
}

function accepts(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1");
    socket.once("connect", () => {
      socket.destroy();
      resolve(true);
    });
    socket.once("error", () => resolve(false));
  });
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  server.close();
  if (address === null || typeof address === "string") throw new Error("The probe has no port.");
  return address.port;
}
