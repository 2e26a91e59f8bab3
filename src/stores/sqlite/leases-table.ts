import type { SqliteDatabase, SqliteStatement } from "../../sqlite/index.ts";

export const LEASES_SCHEMA = `
  CREATE TABLE IF NOT EXISTS breakwater_leases_2 (
    k TEXT PRIMARY KEY, holder TEXT NOT NULL, expires INTEGER NOT NULL
  ) WITHOUT ROWID;
`;

/** Leases in a file. Synchronous. */
export class LeasesTable {
  readonly #acquire: SqliteStatement;
  readonly #release: SqliteStatement;
  readonly #deleteExpired: SqliteStatement;

  constructor(database: SqliteDatabase) {
    this.#acquire = database.prepare(
      `INSERT INTO breakwater_leases_2 VALUES (?, ?, ?) ON CONFLICT (k)
       DO UPDATE SET holder = excluded.holder, expires = excluded.expires
       WHERE holder = excluded.holder OR expires <= ?`,
    );
    this.#release = database.prepare("DELETE FROM breakwater_leases_2 WHERE k = ? AND holder = ?");
    this.#deleteExpired = database.prepare("DELETE FROM breakwater_leases_2 WHERE expires <= ?");
  }

  acquire(key: string, holder: string, now: number, leaseMs: number): boolean {
    return Number(this.#acquire.run(key, holder, Math.ceil(now + leaseMs), Math.floor(now)).changes) > 0;
  }

  release(key: string, holder: string): void {
    this.#release.run(key, holder);
  }

  deleteExpired(now: number): void {
    this.#deleteExpired.run(Math.floor(now));
  }
}
