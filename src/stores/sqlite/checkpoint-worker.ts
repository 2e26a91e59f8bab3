import { Worker } from "node:worker_threads";

/** Frames of the log beyond which others' transactions are held up for once, so that it can begin anew. */
const FRAMES_MAX = 2048;

// As text and not as a file of its own, which bundlers would lose.
const PROGRAM = `
  const { parentPort, workerData } = require("node:worker_threads");
  const { DatabaseSync } = require("node:sqlite");
  const database = new DatabaseSync(workerData);
  database.exec("PRAGMA busy_timeout = 100");
  parentPort.on("message", () => {
    try {
      const { log } = database.prepare("PRAGMA wal_checkpoint(PASSIVE)").get();
      if (log > ${FRAMES_MAX}) database.prepare("PRAGMA wal_checkpoint(RESTART)").get();
    } catch {}
    parentPort.postMessage("done");
  });
`;

/**
 * Copies the log of a database into its file in a thread of its own: that waits for the disk, 10 ms and more, which the
 * event loop must not. It has to be the thread of the same SQLite library, so it serves `node:sqlite` only
 * (https://sqlite.org/howtocorrupt.html, section 2.2.1).
 */
export class CheckpointWorker {
  readonly #path: string;
  readonly #failed: () => void;
  #worker: Worker | undefined;
  #waiting: (() => void) | undefined;

  /** `failed` is called when there can be no thread. */
  constructor(path: string, failed: () => void) {
    this.#path = path;
    this.#failed = failed;
  }

  /** Resolves when what was in the log is in the file, or cannot be. Never rejects. */
  run(): Promise<void> {
    return new Promise((resolve) => {
      this.#waiting = resolve;
      try {
        this.#worker ??= this.#start();
        this.#worker.postMessage("checkpoint");
      } catch {
        this.#end();
      }
    });
  }

  async close(): Promise<void> {
    const worker = this.#worker;
    this.#worker = undefined;
    this.#done();
    await worker?.terminate();
  }

  #start(): Worker {
    const worker = new Worker(PROGRAM, { eval: true, execArgv: [], workerData: this.#path, stderr: true });
    worker.unref();
    worker.on("message", () => this.#done());
    worker.on("error", () => this.#end());
    worker.on("exit", () => this.#done());
    return worker;
  }

  #end(): void {
    this.#worker = undefined;
    this.#failed();
    this.#done();
  }

  #done(): void {
    this.#waiting?.();
    this.#waiting = undefined;
  }
}
