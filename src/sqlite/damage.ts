import { accessSync, constants, readdirSync, renameSync, rmSync, statSync } from "node:fs";
import { basename, dirname, join } from "node:path";

/** What was read cannot have been written by this program. */
export class DamagedError extends Error {
  constructor() {
    super("The file holds what was never written to it");
  }
}

// Result codes: https://sqlite.org/rescode.html. The low byte is the class, the rest says more.
const ERROR = 1;
const BUSY = 5;
const LOCKED = 6;
const READONLY = 8;
// A file that was moved or deleted while it was open.
const READONLY_DBMOVED = 1032;
const IOERR = 10;
// CORRUPT, NOTADB; and CONSTRAINT and MISMATCH, which no statement of ours can cause in a sound file.
const DAMAGES = new Set([11, 19, 20, 26]);
// Reading failed, gave less than there must be, or what a check sum denies. Others tell of a disk that is full or gone.
const DAMAGED_READS = new Set([266, 522, 8202, 8458]);
// better-sqlite3 gives names instead.
const CLASSES: Readonly<Record<string, number>> = {
  ERROR,
  BUSY,
  LOCKED,
  READONLY,
  IOERR,
  CORRUPT: 11,
  CONSTRAINT: 19,
  MISMATCH: 20,
  NOTADB: 26,
};
const NAMED: Readonly<Record<string, number>> = {
  SQLITE_READONLY_DBMOVED: READONLY_DBMOVED,
  SQLITE_IOERR_READ: 266,
  SQLITE_IOERR_SHORT_READ: 522,
  SQLITE_IOERR_DATA: 8202,
  SQLITE_IOERR_CORRUPTFS: 8458,
};

function resultCode(error: unknown): number {
  const { errcode, code } = (error ?? {}) as { errcode?: unknown; code?: unknown };
  if (typeof errcode === "number") return errcode;
  if (typeof code !== "string" || !code.startsWith("SQLITE_")) return 0;
  return NAMED[code] ?? CLASSES[code.split("_")[1] ?? ""] ?? 0;
}

function resultClass(error: unknown): number {
  return resultCode(error) & 0xff;
}

/** Another connection holds the lock: worth another try. */
export function isBusy(error: unknown): boolean {
  const code = resultClass(error);
  return code === BUSY || code === LOCKED;
}

/** The file cannot be used as it is. */
export function isDamaged(error: unknown): boolean {
  if (error instanceof DamagedError) return true;
  const code = resultCode(error);
  if (code === READONLY_DBMOVED || DAMAGED_READS.has(code)) return true;
  // Node's own complaint about a number that no statement of ours has written.
  if ((error as { code?: unknown } | undefined)?.code === "ERR_OUT_OF_RANGE") return true;
  return DAMAGES.has(resultClass(error));
}

/**
 * The file cannot be opened as it is. A damaged head makes SQLite complain of a format or of SQL that is sound, or
 * take the file for one that may only be read.
 */
export function isDamagedAtOpening(error: unknown, path: string): boolean {
  const code = resultClass(error);
  return isDamaged(error) || code === ERROR || (code === READONLY && isWritable(path));
}

function isWritable(path: string): boolean {
  try {
    accessSync(path, constants.W_OK);
    accessSync(dirname(path), constants.W_OK);
    return true;
  } catch {
    return false;
  }
}

/** `:memory:` is not a file. */
export function isOnDisk(path: string): boolean {
  return path !== ":memory:";
}

/** Inode of the file at `path`; `undefined` when there is none. */
export function inodeOf(path: string): number | undefined {
  return statSync(path, { throwIfNoEntry: false })?.ino;
}

/**
 * Moves a damaged file out of the way and gives its new name. One is kept: it is evidence, not data, and a disk
 * that damages file after file must not be filled with them.
 */
export function quarantine(path: string, wall: number): string {
  const folder = dirname(path);
  const prefix = `${basename(path)}.corrupt-`;
  for (const name of readdirSync(folder)) if (name.startsWith(prefix)) rmSync(join(folder, name), { force: true });
  const target = join(folder, `${prefix}${Math.round(wall)}`);
  renameSync(path, target);
  for (const suffix of ["-wal", "-shm"]) {
    try {
      renameSync(`${path}${suffix}`, `${target}${suffix}`);
    } catch {
      // It need not exist.
    }
  }
  return target;
}
