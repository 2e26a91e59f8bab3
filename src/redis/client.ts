import { StoreError } from "../core/index.ts";

/** A command and its arguments. */
export type RedisCommand = readonly (string | Buffer)[];

/** What is needed of a client of `@redis/client` 5, or of `redis` 5, which is the same. */
export interface RedisClient {
  readonly isReady: boolean;
  sendCommand(command: RedisCommand, options?: ReplyTypes): Promise<unknown>;
  /** Without it other processes' invalidations are seen when the store is read, and not before. */
  duplicate?(overrides: object): unknown;
}

/** What is needed of a client of Redis Cluster: `createCluster` of `@redis/client` 5. */
export interface RedisCluster {
  readonly isOpen: boolean;
  readonly masters: readonly unknown[];
  sendCommand(
    firstKey: string | undefined,
    isReadonly: boolean | undefined,
    command: (string | Buffer)[],
    options?: ReplyTypes,
  ): Promise<unknown>;
  subscribe(channel: string, listener: (message: string) => void): Promise<void>;
  unsubscribe(channel: string, listener: (message: string | Buffer) => void): Promise<void>;
}

export function isCluster(client: RedisClient | RedisCluster): client is RedisCluster {
  return "masters" in client;
}

// RESP's mark of a binary string, `$`: RESP_TYPES.BLOB_STRING of @redis/client.
const BLOB_STRING = 36;

/** How replies become values, by their RESP type. */
export interface ReplyTypes {
  readonly typeMapping: { readonly [BLOB_STRING]: BufferConstructor };
}

/** For commands whose reply is bytes. */
export const AS_BYTES: ReplyTypes = { typeMapping: { [BLOB_STRING]: Buffer } };

/**
 * The short reason in an error of the connection or of the server: `ECONNREFUSED`, `OOM`, `WRONGPASS`. No more of it:
 * the rest may repeat an address, a key or a credential.
 */
export function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return "unknown";
  const { code } = error as { code?: unknown };
  if (typeof code === "string") return code;
  return /^[A-Z]{2,}(?= )/.exec(error.message)?.[0] ?? error.constructor.name;
}

export function notConnected(why: string): StoreError {
  return new StoreError(`Redis is not connected: ${why}.`);
}

/** Sends a command to where `key`, one of its keys, is kept. */
export type Send = (key: string, command: RedisCommand, types?: ReplyTypes) => Promise<unknown>;

/** A way to a server, which may come and go. */
export interface Connection {
  /** How to send, while commands can be sent. */
  readonly send: Send | undefined;
  /** Why `send` is absent. */
  failure(): Error;
  /** Resolves when the first try to connect has ended, well or not. */
  readonly firstTry: Promise<void>;
  /** Keeps the process alive until `release`, while somebody waits for an answer. */
  hold(): void;
  release(): void;
  /** The server has stopped answering. */
  giveUp(): void;
  close(): void;
}

/** A client of the user's own, which others may use, too: it is neither connected nor closed here. */
export class BorrowedConnection implements Connection {
  readonly #isReady: () => boolean;
  readonly #send: Send;
  readonly firstTry = Promise.resolve();
  #closed = false;

  constructor(client: RedisClient | RedisCluster) {
    if (isCluster(client)) {
      this.#isReady = () => client.isOpen;
      this.#send = (key, command, types) => client.sendCommand(key, false, [...command], types);
    } else {
      this.#isReady = () => client.isReady;
      this.#send = (_key, command, types) => client.sendCommand(command, types);
    }
  }

  get send(): Send | undefined {
    return !this.#closed && this.#isReady() ? this.#send : undefined;
  }

  failure(): Error {
    return notConnected(this.#closed ? "closed" : "the client given is not ready");
  }

  hold(): void {}

  release(): void {}

  giveUp(): void {}

  close(): void {
    this.#closed = true;
  }
}

/** What a command counts for beside the bytes of its value. */
const COMMAND_BYTES = 256;
const UNANSWERED_BYTES = 64 * 1024 ** 2;

interface TimeLimit {
  readonly ms: number;
  readonly after: (ms: number, fn: () => void) => { cancel(): void };
}

/** Sends commands: refused at once where there is no connection, bounded in time and in what is unanswered. */
export class Commands {
  readonly #connection: Connection;
  readonly #limit: TimeLimit;
  #firstTryOver = false;
  #unanswered = 0;

  constructor(connection: Connection, limit: TimeLimit) {
    this.#connection = connection;
    this.#limit = limit;
    void connection.firstTry.then(() => {
      this.#firstTryOver = true;
    });
  }

  /** `key` is one of the command's, the one that decides where it goes. Rejects with {@link StoreError}. */
  async send(key: string, command: RedisCommand, types?: ReplyTypes): Promise<unknown> {
    const connection = this.#connection;
    // After the first try a call that cannot be sent must not even touch the socket that is being connected.
    if (this.#firstTryOver && connection.send === undefined) throw connection.failure();
    connection.hold();
    try {
      // A short program asks before it can be connected: worth the wait once, never again.
      if (!this.#firstTryOver) await connection.firstTry;
      const { send } = connection;
      if (send === undefined) throw connection.failure();
      return await this.#answer(sizeOf(command), () => send(key, command, types));
    } finally {
      connection.release();
    }
  }

  #answer(size: number, ask: () => Promise<unknown>): Promise<unknown> {
    if (this.#unanswered + size > UNANSWERED_BYTES) {
      return Promise.reject(new StoreError("Redis leaves too many commands unanswered; this one was not sent."));
    }
    this.#unanswered += size;
    return new Promise((resolve, reject) => {
      const timer = this.#limit.after(this.#limit.ms, () => {
        reject(new StoreError(`Redis did not answer within ${this.#limit.ms} ms.`));
        this.#connection.giveUp();
      });
      // The size is given back when the client lets go of the command, which may be later than the time limit.
      const over = (): void => {
        timer.cancel();
        this.#unanswered -= size;
      };
      ask().then(
        (reply) => {
          over();
          resolve(reply);
        },
        (error: unknown) => {
          over();
          reject(new StoreError(`Redis did not carry out a command: ${reasonOf(error)}.`, error));
        },
      );
    });
  }
}

function sizeOf(command: RedisCommand): number {
  let bytes = COMMAND_BYTES;
  for (const part of command) bytes += part.length;
  return bytes;
}
