/** How one call of a client went. Times are milliseconds. */
export interface ServedCall {
  readonly client: string;
  readonly at: number;
  /** When it stopped waiting: its answer began, or it was given up. */
  readonly waitedUntil: number;
  readonly tokens: number;
  readonly answered: boolean;
}

/** Tokens of one client in one minute. */
interface Minute {
  /** Of the calls that came or waited in it. */
  wanted: number;
  /** Of those whose answer began in it. */
  got: number;
}

const MINUTE_MS = 60_000;

/**
 * How evenly clients were served: Jain's index (Jain, Chiu and Hawe, 1984) over the parts that they got of their fair share
 * of each minute, the mean of the minutes in which somebody wanted more than there was. A fair share is the max-min one: no
 * more than a client wants, and nobody has less than another who has more than he wants. From 1 / clients to 1; 1 where
 * there always was enough, `undefined` for fewer than two clients.
 */
export function fairnessOf(calls: readonly ServedCall[]): number | undefined {
  const minutes = new Map<number, Map<string, Minute>>();
  const clients = new Set<string>();
  for (const { client, at, waitedUntil, tokens, answered } of calls) {
    clients.add(client);
    const last = Math.floor(waitedUntil / MINUTE_MS);
    for (let number = Math.floor(at / MINUTE_MS); number <= last; number++) {
      const minute = minuteOf(minutes, number, client);
      minute.wanted += tokens;
      if (number === last && answered) minute.got += tokens;
    }
  }
  if (clients.size < 2) return undefined;
  const indexes = [...minutes.values()].flatMap((minute) => contended([...minute.values()]) ?? []);
  return indexes.length === 0 ? 1 : indexes.reduce((sum, index) => sum + index, 0) / indexes.length;
}

/** (sum x)^2 / (n sum x^2); 1 where all are 0. */
export function jainIndex(shares: readonly number[]): number {
  const sum = shares.reduce((total, share) => total + share, 0);
  const squares = shares.reduce((total, share) => total + share * share, 0);
  return squares === 0 ? 1 : (sum * sum) / (shares.length * squares);
}

/** Jain's index of one minute; `undefined` where everybody got what he wanted, or nobody anything. */
function contended(clients: readonly Minute[]): number | undefined {
  const served = clients.reduce((sum, { got }) => sum + got, 0);
  if (served === 0 || clients.every(({ wanted, got }) => got >= wanted)) return undefined;
  const level = fairLevel(
    clients.map(({ wanted }) => wanted),
    served,
  );
  return jainIndex(clients.map(({ wanted, got }) => Math.min(1, got / Math.max(1, Math.min(wanted, level)))));
}

/** What everybody may have at most, so that all of `available` is given. */
function fairLevel(wanted: readonly number[], available: number): number {
  let left = available;
  const sorted = wanted.toSorted((a, b) => a - b);
  for (const [index, amount] of sorted.entries()) {
    const equal = left / (sorted.length - index);
    if (amount >= equal) return equal;
    left -= amount;
  }
  return Number.POSITIVE_INFINITY;
}

function minuteOf(minutes: Map<number, Map<string, Minute>>, number: number, client: string): Minute {
  const clients = minutes.get(number) ?? new Map<string, Minute>();
  minutes.set(number, clients);
  const minute = clients.get(client) ?? { wanted: 0, got: 0 };
  clients.set(client, minute);
  return minute;
}
