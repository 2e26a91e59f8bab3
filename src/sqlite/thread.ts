import { createRequire } from "node:module";
import { Worker } from "node:worker_threads";
import { StoreError } from "../core/index.ts";
import { nodeDriver } from "./driver.ts";

/** What a statement may be given. */
export type SqlValue = string | number | null;

/** A statement and the parameters of each of its runs, by position. */
export interface SqlWrite {
  readonly sql: string;
  readonly runs: readonly (readonly SqlValue[])[];
}

/** An error of SQLite's, as far as it can leave a thread. */
export class SqlError extends Error {
  readonly code: string | undefined;
  /** https://sqlite.org/rescode.html */
  readonly errcode: number | undefined;

  constructor({ name, message, code, errcode }: Failure) {
    super(message);
    this.name = name;
    this.code = code;
    this.errcode = errcode;
  }
}

interface Failure {
  readonly name: string;
  readonly message: string;
  readonly code: string | undefined;
  readonly errcode: number | undefined;
}

interface Answer {
  readonly id: number;
  readonly result?: unknown;
  readonly failure?: Failure;
}

interface Pending {
  readonly resolve: (result: unknown) => void;
  readonly reject: (error: unknown) => void;
}

// As text and not as a file of its own, which bundlers would lose.
const PROGRAM = `
  const { parentPort, workerData: { module, name, path, setup } } = require("node:worker_threads");
  const loaded = require(module);
  const Database = name === undefined ? loaded : loaded[name];
  const statements = new Map();
  let database;
  function statement(sql) {
    let known = statements.get(sql);
    if (known === undefined) {
      if (statements.size >= 64) statements.clear();
      known = database.prepare(sql);
      statements.set(sql, known);
    }
    return known;
  }
  const works = {
    open() {
      database = new Database(path);
      try {
        database.exec(setup);
      } catch (error) {
        works.close();
        throw error;
      }
    },
    read: ({ sql, parameters }) => statement(sql).all(...parameters),
    write(writes) {
      database.exec("BEGIN IMMEDIATE");
      try {
        const changes = writes.map(({ sql, runs }) => {
          let count = 0;
          for (const parameters of runs) count += Number(statement(sql).run(...parameters).changes);
          return count;
        });
        database.exec("COMMIT");
        return changes;
      } catch (error) {
        try { database.exec("ROLLBACK"); } catch {}
        throw error;
      }
    },
    exec: (sql) => void database.exec(sql),
    close() {
      statements.clear();
      try { database?.close(); } catch {}
    },
  };
  parentPort.on("message", ({ id, work, value }) => {
    try {
      parentPort.postMessage({ id, result: works[work](value) });
    } catch ({ name, message, code, errcode }) {
      parentPort.postMessage({ id, failure: { name, message, code, errcode } });
    }
  });
`;

/**
 * A database in a thread of its own, for work that would hold up the event loop: large queries, and waiting for the disk.
 * What is asked for is done in order. Everything rejects with {@link SqlError}, or `StoreError` when there is no thread.
 * It keeps the process alive only while something is under way.
 */
export class SqliteThread {
  readonly #worker: Worker;
  readonly #pending = new Map<number, Pending>();
  #lastId = 0;
  #gone: Error | undefined;

  private constructor(path: string, setup: string) {
    // Without the options of the process: with --input-type=module, say, the program would not be one.
    const apart = { eval: true, execArgv: [], stderr: true };
    this.#worker = new Worker(PROGRAM, { ...apart, workerData: { ...driverModule(), path, setup } });
    this.#worker.unref();
    this.#worker.on("message", (answer: Answer) => this.#answered(answer));
    this.#worker.on("error", (error: unknown) => this.#end(error));
    this.#worker.on("exit", () => this.#end(undefined));
  }

  /** Opens a file, or makes it, and runs `setup` in it. Throws `StoreError` where there is no driver. */
  static async open(path: string, setup: string): Promise<SqliteThread> {
    const thread = new SqliteThread(path, setup);
    try {
      await thread.#ask("open", undefined);
    } catch (error) {
      await thread.#worker.terminate();
      throw error;
    }
    return thread;
  }

  /** False once the thread has ended by itself; then everything rejects. */
  get isAlive(): boolean {
    return this.#gone === undefined;
  }

  async read(sql: string, parameters: readonly SqlValue[] = []): Promise<readonly Record<string, SqlValue>[]> {
    return (await this.#ask("read", { sql, parameters })) as readonly Record<string, SqlValue>[];
  }

  /** All of it in one transaction, or nothing. Gives how many rows each statement changed. */
  async write(writes: readonly SqlWrite[]): Promise<readonly number[]> {
    return (await this.#ask("write", writes)) as readonly number[];
  }

  async exec(sql: string): Promise<void> {
    await this.#ask("exec", sql);
  }

  /** Never rejects. */
  async close(): Promise<void> {
    await this.#ask("close", undefined).catch(() => {});
    await this.#worker.terminate();
  }

  #ask(work: string, value: unknown): Promise<unknown> {
    if (this.#gone !== undefined) return Promise.reject(this.#gone);
    return new Promise((resolve, reject) => {
      const id = ++this.#lastId;
      this.#pending.set(id, { resolve, reject });
      this.#worker.ref();
      this.#worker.postMessage({ id, work, value });
    });
  }

  #answered({ id, result, failure }: Answer): void {
    const pending = this.#pending.get(id);
    this.#pending.delete(id);
    if (this.#pending.size === 0) this.#worker.unref();
    if (failure === undefined) pending?.resolve(result);
    else pending?.reject(new SqlError(failure));
  }

  #end(cause: unknown): void {
    this.#gone ??= new StoreError("The thread of the database has ended.", cause);
    for (const { reject } of this.#pending.values()) reject(this.#gone);
    this.#pending.clear();
  }
}

function driverModule(): { module: string; name?: string } {
  if (nodeDriver() !== undefined) return { module: "node:sqlite", name: "DatabaseSync" };
  try {
    return { module: createRequire(import.meta.url).resolve("better-sqlite3") };
  } catch (cause) {
    throw new StoreError('SQLite needs Node.js 22.13 or newer, or the package "better-sqlite3".', cause);
  }
}
