/** The control group that this process runs in, as far as it limits anything. */
export interface Cgroup {
  readonly version: 1 | 2;
  /** Folder of the memory controller. */
  readonly memoryFolder: string;
  readonly memoryLimitBytes: number | undefined;
  /** Processors by quota. */
  readonly cpus: number | undefined;
}

type ReadText = (path: string) => string | undefined;

const ROOT = "/sys/fs/cgroup";

/**
 * Finds the control group by `/proc/self/cgroup`; `undefined` where there is none (not Linux, nothing mounted).
 * Formats: Linux Documentation/admin-guide/cgroup-v2.rst and cgroup-v1/memory.rst.
 */
export function findCgroup(read: ReadText): Cgroup | undefined {
  const lines = read("/proc/self/cgroup")?.split("\n") ?? [];
  const pathOf = (controller: string): string | undefined => {
    const line = lines.find((text) => text.split(":")[1]?.split(",").includes(controller));
    return line?.split(":").slice(2).join(":");
  };
  const unified = firstWith(`${ROOT}`, pathOf(""), "memory.current", read);
  if (unified !== undefined) {
    return {
      version: 2,
      memoryFolder: unified,
      memoryLimitBytes: bytesOf(read(`${unified}/memory.max`)),
      cpus: quotaOf(read(`${unified}/cpu.max`)?.trim().split(" ")),
    };
  }
  const memory = firstWith(`${ROOT}/memory`, pathOf("memory"), "memory.usage_in_bytes", read);
  if (memory === undefined) return undefined;
  const cpu = firstWith(`${ROOT}/cpu`, pathOf("cpu"), "cpu.cfs_quota_us", read);
  const cpuFiles = cpu === undefined ? [] : [read(`${cpu}/cpu.cfs_quota_us`), read(`${cpu}/cpu.cfs_period_us`)];
  return {
    version: 1,
    memoryFolder: memory,
    memoryLimitBytes: bytesOf(read(`${memory}/memory.limit_in_bytes`)),
    cpus: quotaOf(cpuFiles),
  };
}

/** Memory that counts against the limit and that the kernel cannot simply take back. */
export function memoryUsed({ version, memoryFolder }: Cgroup, read: ReadText): number | undefined {
  const used = bytesOf(read(`${memoryFolder}/${version === 2 ? "memory.current" : "memory.usage_in_bytes"}`));
  if (used === undefined) return undefined;
  const name = version === 2 ? "inactive_file" : "total_inactive_file";
  const line = read(`${memoryFolder}/memory.stat`)
    ?.split("\n")
    .find((text) => text.startsWith(`${name} `));
  return Math.max(0, used - (bytesOf(line?.split(" ")[1]) ?? 0));
}

// Inside a container the path of /proc is that of the host, and its own group is mounted at the root.
function firstWith(root: string, path: string | undefined, file: string, read: ReadText): string | undefined {
  if (path === undefined) return undefined;
  const folders = path === "/" ? [root] : [`${root}${path}`, root];
  return folders.find((folder) => read(`${folder}/${file}`) !== undefined);
}

// "max" in version 2 and a number near 2^63 in version 1 stand for no limit.
function bytesOf(text: string | undefined): number | undefined {
  const bytes = Number(text?.trim() || Number.NaN);
  return Number.isFinite(bytes) && bytes < 2 ** 60 ? bytes : undefined;
}

// "max" in version 2 and -1 in version 1 stand for no quota.
function quotaOf([quota, period]: readonly (string | undefined)[] = []): number | undefined {
  const cpus = Number(quota) / Number(period);
  return cpus > 0 && Number.isFinite(cpus) ? cpus : undefined;
}
