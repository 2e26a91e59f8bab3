import { readdirSync, readFileSync, statfsSync } from "node:fs";

export interface Flow {
  readonly inBytes: number;
  readonly outBytes: number;
}

/** What the kernel tells in `/proc`; each is `undefined` where there is none. */
export interface LinuxReading {
  readonly fileDescriptors: number | undefined;
  /** All interfaces but the loopback, since the machine's start. */
  readonly network: Flow | undefined;
  /** This process, since its start: what really went to and from disks. */
  readonly disk: Flow | undefined;
}

/** Formats: proc(5), `/proc/[pid]/net/dev`, `/proc/[pid]/io`, `/proc/[pid]/fd`. */
export function readLinux(): LinuxReading {
  const descriptors = attempt(() => readdirSync("/proc/self/fd").length);
  const network = attempt(() => networkOf(readFileSync("/proc/self/net/dev", "utf8")));
  const disk = attempt(() => diskOf(readFileSync("/proc/self/io", "utf8")));
  // Reading the folder opens one more.
  return { fileDescriptors: descriptors === undefined ? undefined : descriptors - 1, network, disk };
}

export function networkOf(text: string): Flow {
  let inBytes = 0;
  let outBytes = 0;
  for (const line of text.split("\n")) {
    const [name, numbers] = line.split(":");
    if (numbers === undefined || name?.trim() === "lo") continue;
    const fields = numbers.trim().split(/\s+/).map(Number);
    inBytes += fields[0] ?? 0;
    outBytes += fields[8] ?? 0;
  }
  return { inBytes, outBytes };
}

export function diskOf(text: string): Flow {
  const field = (name: string): number => Number(new RegExp(`^${name}: (\\d+)$`, "m").exec(text)?.[1] ?? 0);
  return { inBytes: field("read_bytes"), outBytes: field("write_bytes") };
}

/** The file system of the working directory. */
export function fileSystemUse(): { readonly used: number; readonly free: number } | undefined {
  return attempt(() => {
    const { blocks, bfree, bavail, bsize } = statfsSync(".");
    return { used: (blocks - bfree) * bsize, free: bavail * bsize };
  });
}

function attempt<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch {
    return undefined;
  }
}
