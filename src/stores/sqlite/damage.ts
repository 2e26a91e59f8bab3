import { accessSync, constants, readdirSync, renameSync, rmSync, statSync } from "node:fs";
import { basename, dirname, join } from "node:path";

/** What was read cannot have been written by this program. */
export class DamagedError extends Error {
  constructor() {
    super("The file holds what was never written to it");
  }
}

const ERROR = 1;
const READONLY = 8;
const BUSY = 5;
const LOCKED = 6;
// A file that was moved or deleted while it was open: SQLITE_READONLY_DBMOVED.
const MOVED = 1032;
// IOERR, CORRUPT, NOTADB; and CONSTRAINT and MISMATCH, which no statement of ours can cause in a sound file.
const DAMAGES = new Set([10, 11, 19, 20, 26]);

// The low byte of an SQLite result code is its class: https://sqlite.org/rescode.html
function resultClass(error: unknown): number | undefined {
  const { errcode } = (error ?? {}) as { errcode?: unknown };
  return typeof errcode === "number" ? errcode & 0xff : undefined;
}

/** Another connection holds the lock: worth another try. */
export function isBusy(error: unknown): boolean {
  const code = resultClass(error);
  return code === BUSY || code === LOCKED;
}

/** The file cannot be used as it is. */
export function isDamaged(error: unknown): boolean {
  if (error instanceof DamagedError) return true;
  if ((error as { errcode?: unknown } | undefined)?.errcode === MOVED) return true;
  // Node's own complaint about a number that no statement of ours has written.
  if ((error as { code?: unknown } | undefined)?.code === "ERR_OUT_OF_RANGE") return true;
  return DAMAGES.has(resultClass(error) ?? 0);
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
