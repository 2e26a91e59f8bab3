import { mkdirSync, statSync } from "node:fs";
import { dirname } from "node:path";

/**
 * Makes a folder and those above it where they are missing. Throws what the system says. Node's own recursive way never
 * ends where a system denies an entry that it could not make, as `/proc` does.
 */
export function ensureFolder(path: string): void {
  try {
    makeFolder(path);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    const above = dirname(path);
    if (code === "ENOENT" && above !== path) {
      ensureFolder(above);
      makeFolder(path);
    } else {
      throw error;
    }
  }
}

function makeFolder(path: string): void {
  try {
    mkdirSync(path);
  } catch (error) {
    // It may be there, of course, or have been made by another process in between.
    if (!isFolder(path)) throw error;
  }
}

function isFolder(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() === true;
}
