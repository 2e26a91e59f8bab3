// 500 real streams over HTTP with 64 slots, a fifth abandoned and one in twenty stalled, half of those behind keep-alive
// comments: whether slots are held as long as bodies live, and how late a stall is cut. Beside it cockatiel's bulkhead with
// its timeout. Run with: node --expose-gc bench/flow/stream-slots.ts
import { bulkhead, TaskCancelledError, TimeoutStrategy, timeout, wrap } from "cockatiel";
import { createOptimizer, seededRandom } from "../../src/index.ts";
import { countingFetch, type StreamKind, startStreamServer } from "../../test/acceptance/support/stream-server.ts";
import { median } from "../measure.ts";

const STREAMS = 500;
const SLOTS = 64;
const IDLE_MS = 700;

interface Subject {
  readonly name: string;
  readonly running: () => number;
  /** Asks, and reads as long as `reads` says so. */
  ask(kind: StreamKind, index: number, reads: (chunks: number) => boolean): Promise<void>;
  close(): Promise<void>;
}

function requestOf(kind: StreamKind, index: number): RequestInit {
  const messages = [
    { role: "system", content: `Stream ${index}` },
    { role: "user", content: kind },
  ];
  return {
    method: "POST",
    headers: { "content-type": "application/json", authorization: "Bearer k" },
    body: JSON.stringify({ model: "m", stream: true, messages }),
  };
}

async function readBody(response: Response, reads: (chunks: number) => boolean): Promise<void> {
  let chunks = 0;
  for await (const _chunk of response.body ?? []) if (!reads(++chunks)) break;
}

function breakwater(url: string, fetch: typeof globalThis.fetch): Subject {
  const optimizer = createOptimizer({
    environment: {},
    cache: false,
    fetch,
    pool: { concurrency: SLOTS, maxQueue: STREAMS },
    throttle: false,
    retry: { attempts: 1 },
    breaker: { failureRate: 1 },
    timeout: { idle: IDLE_MS },
  });
  return {
    name: "breakwater",
    running: () => (optimizer.stats().policies["pool"] as { readonly running: number }).running,
    async ask(kind, index, reads) {
      await readBody(await optimizer.fetch(`${url}/chat/completions`, requestOf(kind, index)), reads);
    },
    close: () => optimizer.close(),
  };
}

// By default cockatiel aborts its signal when the function returns, which ends every body; without that, it is done then.
const cockatiel =
  (abortOnReturn: boolean) =>
  (url: string, fetch: typeof globalThis.fetch): Subject => {
    const slots = bulkhead(SLOTS, STREAMS);
    const policy = wrap(slots, timeout(IDLE_MS, { strategy: TimeoutStrategy.Aggressive, abortOnReturn }));
    return {
      name: `cockatiel, abortOnReturn ${abortOnReturn}`,
      running: () => SLOTS - slots.executionSlots,
      async ask(kind, index, reads) {
        const send = ({ signal }: { readonly signal: AbortSignal }) =>
          fetch(`${url}/chat/completions`, { ...requestOf(kind, index), signal });
        await readBody(await policy.execute(send), reads);
      },
      async close() {},
    };
  };

async function measure(make: (url: string, fetch: typeof globalThis.fetch) => Subject): Promise<void> {
  await using server = await startStreamServer(5);
  const random = seededRandom(6);
  const { fetch, live } = countingFetch();
  const subject = make(server.url, fetch);
  const ends = { whole: 0, abandoned: 0, cut: 0, killed: 0 };
  const lateness: number[] = [];
  let samples = 0;
  let unequal = 0;
  let most = 0;
  const sampler = setInterval(() => {
    samples++;
    if (subject.running() !== live()) unequal++;
    most = Math.max(most, live());
  }, 10);

  const one = async (index: number): Promise<void> => {
    const kind: StreamKind = index % 40 === 0 ? "silent" : index % 40 === 20 ? "keepalive" : "healthy";
    const leaveAfter = kind === "healthy" && random() < 0.21 ? Math.floor(random() * 40) : Number.POSITIVE_INFINITY;
    let lastAt = performance.now();
    let left = false;
    try {
      await subject.ask(kind, index, (chunks) => {
        if (chunks <= 3) lastAt = performance.now();
        left = chunks > leaveAfter;
        return !left;
      });
      if (left) ends.abandoned++;
      else ends.whole++;
    } catch (error) {
      if (error instanceof TaskCancelledError || kind === "healthy") ends.killed++;
      else ends.cut++;
      if (kind !== "healthy") lateness.push(performance.now() - lastAt - IDLE_MS);
    }
  };
  const all = Promise.all(Array.from({ length: STREAMS }, (_, index) => one(index)));
  const patience = new Promise((resolve) => setTimeout(resolve, 15_000).unref());
  await Promise.race([all, patience]);
  clearInterval(sampler);
  await new Promise((resolve) => setTimeout(resolve, 200));

  console.log(`\n${subject.name}: ${JSON.stringify(ends)}`);
  console.log(`  slots unlike live bodies in ${unequal} of ${samples} samples; at most ${most} bodies at once`);
  console.log(`  at the end: ${subject.running()} slots, ${live()} bodies here, ${server.open()} at the server`);
  if (lateness.length > 0) {
    const worst = Math.max(...lateness).toFixed(0);
    console.log(
      `  ${lateness.length} stalls cut, after the limit: median ${median(lateness).toFixed(0)} ms, worst ${worst} ms`,
    );
  }
  await subject.close();
}

await measure(breakwater);
await measure(cockatiel(true));
await measure(cockatiel(false));
process.exit(0);
