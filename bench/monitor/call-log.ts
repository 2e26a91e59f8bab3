/**
 * What the call log and the advisor cost a call on the event loop, beside one INSERT on the loop for each; how many rows a
 * second get into the file; and how long a page of a million rows takes, and how long the loop waits meanwhile.
 */
import { mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { setTimeout, setImmediate as turn } from "node:timers/promises";
import { advisor } from "../../src/advisor/index.ts";
import { type CallLog, type CallQuery, callLog } from "../../src/call-log/index.ts";
import { COLUMNS, INSERT, SCHEMA, TABLE } from "../../src/call-log/row.ts";
import { Call, Cancellation, DEFAULT_SCOPE, type EventMap, fingerprintedCall } from "../../src/core/index.ts";
import { createOptimizer, type Optimizer } from "../../src/index.ts";
import { openaiWire } from "../../src/providers/openai/index.ts";
import { median } from "../measure.ts";

const ROUNDS = 7;
const MILLION = 1_000_000;
const folder = mkdtempSync(join(tmpdir(), "breakwater-bench-"));

const completed: EventMap["call.completed"] = {
  durationMs: 812,
  providerMs: 800,
  waits: { queue: 3.25, throttle: 0, rateLimit: 0, backoff: 0 },
  attempts: 1,
  stream: true,
  priority: 5,
  client: undefined,
  route: "summarize",
  firstChunkMs: 312.5,
  usage: { inputTokens: 500, outputTokens: 40, cachedInputTokens: 128 },
  usageCertainty: "exact",
  servedBy: "upstream",
  answeredBy: "primary",
  tier: undefined,
  responseModel: "gpt-5-mini-2025-08-07",
  finishReasons: ["stop"],
};

function callOf(promptChars: number): Call {
  const content = Array.from({ length: promptChars / 16 }, (_, n) => `rule ${n} of many`.padEnd(16).slice(0, 16)).join(
    "",
  );
  return Call.start(
    {
      operation: "chat",
      provider: "openai",
      endpoint: "https://api.openai.com/v1/chat/completions",
      model: "gpt-5-mini",
      credential: "k",
      stream: true,
      request: {
        model: "gpt-5-mini",
        messages: [
          { role: "system", content },
          { role: "user", content: "And?" },
        ],
      },
      wire: openaiWire,
      cancellation: new Cancellation(),
      inputChars: promptChars,
      maxOutputTokens: undefined,
      send: () => Promise.reject(new Error("It is never sent.")),
      scope: DEFAULT_SCOPE,
    },
    0,
  );
}

function row(name: string, value: number, unit: string, anchor?: number): void {
  const shown = value >= 100 ? value.toFixed(0) : value.toFixed(2);
  const ratio = anchor === undefined ? "" : `${(value / anchor).toFixed(2)} x`;
  console.log(`${name.padEnd(58)} ${shown.padStart(9)} ${unit.padEnd(6)} ${ratio.padStart(8)}`);
}

/** CPU time of this thread, which others on the machine do not change; the clock's where Node.js cannot tell it. */
function spentMicroseconds(): number {
  const usage = process.threadCpuUsage?.();
  return usage === undefined ? performance.now() * 1000 : usage.user + usage.system;
}

async function perCall(calls: number, run: (n: number) => void, after: () => Promise<unknown> = turn): Promise<number> {
  const times: number[] = [];
  for (let round = 0; round <= ROUNDS; round++) {
    const before = spentMicroseconds();
    for (let n = 0; n < calls; n++) run(n);
    const took = (spentMicroseconds() - before) / calls;
    if (round > 0) times.push(took);
    await after();
  }
  return median(times);
}

function bareOptimizer(): Optimizer {
  return createOptimizer({ environment: {}, monitor: false });
}

async function costOfACall(): Promise<void> {
  console.log("one call, CPU time of the event loop");
  const call = callOf(4_096);
  const database = new DatabaseSync(join(folder, "anchor.db"));
  database.exec(`PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; ${SCHEMA}`);
  const insert = database.prepare(INSERT);
  const values = COLUMNS.map((column) => (column === "startedAt" ? 1_790_000_000_000 : "text"));
  const anchor = await perCall(3_000, () => void insert.run(...values));
  database.close();
  row("node:sqlite, one INSERT for each call (the anchor)", anchor, "µs", anchor);

  const plain = bareOptimizer();
  plain.on("call.completed", () => {});
  row(
    "an empty listener",
    await perCall(100_000, () => plain.line.runtime.events.emit("call.completed", call, completed)),
    "µs",
    anchor,
  );

  const logged = bareOptimizer();
  const log = callLog(logged, { path: join(folder, "calls.db"), maxQueued: 1_000_000 });
  const emit = () => logged.line.runtime.events.emit("call.completed", call, completed);
  row("the call log", await perCall(50_000, emit, () => log.flush()), "µs", anchor);
  const before = spentMicroseconds();
  const { written } = log.stats();
  const startedAt = performance.now();
  for (let n = 0; n < 100_000; n++) {
    emit();
    if (n % 5_000 === 0) await log.flush();
  }
  await log.flush();
  const rows = log.stats().written - written;
  const seconds = (performance.now() - startedAt) / 1000;
  row("the same, with handing the rows over", (spentMicroseconds() - before) / rows, "µs", anchor);
  row("rows into the file", rows / seconds, "/s", 1e6 / anchor);
  await log.close();

  const watched = bareOptimizer();
  advisor(watched);
  for (const chars of [1_024, 4_096, 16_384]) {
    const one = callOf(chars);
    // The question's key is kept with the call: where there is a cache, it is there already.
    one.fingerprint();
    const run = () => {
      watched.line.runtime.events.emit("call.fingerprinted", one, fingerprintedCall(one));
      watched.line.runtime.events.emit("call.completed", one, completed);
    };
    row(`the advisor, prompt of ${chars} characters`, await perCall(2_000, run), "µs", anchor);
  }
  for (const optimizer of [plain, logged, watched]) await optimizer.close();
}

function fill(path: string): void {
  const database = new DatabaseSync(path);
  database.exec(`PRAGMA auto_vacuum = INCREMENTAL; PRAGMA journal_mode = WAL; PRAGMA synchronous = OFF; ${SCHEMA}`);
  const texts: Record<string, string> = {
    startedAt: `1790000000000 + n * 100`,
    callId: `printf('c%x', n)`,
    op: `'chat'`,
    provider: `'openai'`,
    model: `'model-' || (n * 2654435761 % 8)`,
    route: `'route-' || (n * 40503 % 50)`,
    outcome: `iif(n % 100 = 0, 'error', 'success')`,
    durationMs: `(n * 2654435761 % 1000003) / 100.0`,
    servedBy: `'primary'`,
    attempts: "1",
    stream: "0",
    priority: "5",
    inputTokens: "500",
    outputTokens: "40",
    cost: `(n * 7919 % 10007) / 1e5`,
  };
  const values = COLUMNS.map((column) => texts[column] ?? (column.endsWith("Ms") ? "0" : "NULL"));
  database.exec(`WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c WHERE n < ${MILLION})
    INSERT INTO ${TABLE} (${COLUMNS.join(", ")}) SELECT ${values.join(", ")} FROM c`);
  database.close();
}

async function timeOf(log: CallLog, query: CallQuery | undefined): Promise<{ ms: number; longestTurnMs: number }> {
  const times: number[] = [];
  let longestTurnMs = 0;
  for (let round = 0; round < (query === undefined ? 1 : 5); round++) {
    let done = false;
    const startedAt = performance.now();
    const answer = (query === undefined ? setTimeout(1_000) : log.query(query)).finally(() => {
      done = true;
    });
    for (let at = performance.now(); !done; ) {
      await turn();
      const now = performance.now();
      longestTurnMs = Math.max(longestTurnMs, now - at);
      at = now;
    }
    await answer;
    times.push(performance.now() - startedAt);
  }
  return { ms: median(times), longestTurnMs };
}

async function pages(): Promise<void> {
  const path = join(folder, "million.db");
  fill(path);
  console.log(
    `\na page of 50 from ${MILLION} rows (${Math.round(statSync(path).size / 1024 ** 2)} MB), with its total`,
  );
  const optimizer = bareOptimizer();
  const log = callLog(optimizer, { path, maxAge: "3650d" });
  await log.query();
  const queries: readonly [string, CallQuery | undefined][] = [
    ["nothing, for a second (the anchor)", undefined],
    ["the newest", {}],
    ["page 10,000", { page: 10_000 }],
    ["of one model (1 in 8)", { model: "model-3" }],
    ["errors (1 in 100)", { outcome: "error" }],
    ["of one route (1 in 50, no index)", { route: "route-7" }],
    ["the last hour", { from: 1_790_000_000_000 + MILLION * 100 - 3_600_000 }],
    ["the slowest of the last hour", { from: 1_790_000_000_000 + MILLION * 100 - 3_600_000, sort: "-durationMs" }],
    ["the slowest of all (no index)", { sort: "-durationMs" }],
  ];
  console.log(`${"".padEnd(40)} ${"ms".padStart(8)} ${"longest turn of the loop, ms".padStart(30)}`);
  for (const [name, query] of queries) {
    const { ms, longestTurnMs } = await timeOf(log, query);
    console.log(`${name.padEnd(40)} ${ms.toFixed(1).padStart(8)} ${longestTurnMs.toFixed(1).padStart(30)}`);
  }
  await log.close();
  await optimizer.close();
}

try {
  await costOfACall();
  await pages();
} finally {
  rmSync(folder, { recursive: true, force: true });
}
