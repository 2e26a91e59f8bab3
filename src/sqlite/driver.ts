import { createRequire } from "node:module";
import { StoreError } from "../core/index.ts";

/** What is needed of a prepared statement; parameters are bound by position. */
export interface SqliteStatement {
  get(...parameters: SqliteValue[]): unknown;
  all(...parameters: SqliteValue[]): unknown[];
  run(...parameters: SqliteValue[]): { readonly changes: number | bigint };
}

type SqliteValue = string | number | Uint8Array;

/** What is needed of an open database: `DatabaseSync` of `node:sqlite` has it, and that of better-sqlite3 12, too. */
export interface SqliteDatabase {
  exec(sql: string): unknown;
  prepare(sql: string): SqliteStatement;
  close(): unknown;
}

/** A class of databases, opened by their path. */
export type SqliteDriver = new (path: string) => SqliteDatabase;

/** Node's own driver; `undefined` where Node.js has none. */
export function nodeDriver(): SqliteDriver | undefined {
  return process.getBuiltinModule("node:sqlite")?.DatabaseSync as SqliteDriver | undefined;
}

/** Node's own driver, or better-sqlite3 where Node.js has none. Throws {@link StoreError}. */
export function defaultDriver(): SqliteDriver {
  return nodeDriver() ?? betterSqlite();
}

function betterSqlite(): SqliteDriver {
  try {
    return createRequire(import.meta.url)("better-sqlite3") as SqliteDriver;
  } catch (cause) {
    throw new StoreError('The sqlite tier needs Node.js 22.13 or newer, or the package "better-sqlite3".', cause);
  }
}
