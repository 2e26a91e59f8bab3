/** The main job, `npm start`: recorded traffic through a bare client and through a wrapped one, compared. */
import OpenAI from "openai";
import { type Arguments, HELP, readArguments } from "./arguments.ts";
import { compare, type PassSummary, summarise } from "./comparison.ts";
import { type Progress, runPass, type Send, type Target } from "./pass.ts";
import { type ProviderPlan, startProvider } from "./provider.ts";
import { createWorkload, type Workload } from "./workload.ts";
import { prices, startWrapped } from "./wrapped.ts";

const stop = new AbortController();
const OUTAGE_MS = 1000;
const STAY_OUTAGE_EVERY_MS = 120_000;

async function main(args: Arguments): Promise<void> {
  const workload = createWorkload(args.calls, args.speed, args.seed);
  const plan = planFor(workload, args);
  describeJob(args, workload, plan);
  const summaries: PassSummary[] = [];
  if (args.baseURL === undefined) summaries.push(await barePass(args, workload, plan));
  if (stop.signal.aborted) {
    console.log(`\n${compare(summaries, prices[args.model], args.speed)}`);
    return;
  }
  const wrapped = await startWrapped(args, plan, stop.signal);
  try {
    console.log(`Dashboard while it runs: ${wrapped.dashboard}`);
    summaries.push(await wrapped.pass(workload, showProgress("with Breakwater")));
    console.log(`\n${compare(summaries, prices[args.model], args.speed)}`);
    if (args.stay && !stop.signal.aborted) {
      console.log(`\nThe traffic goes on, with an outage every other minute: ${wrapped.dashboard} (Ctrl-C ends it)`);
      await wrapped.goOn();
    }
  } finally {
    await wrapped.close();
  }
}

/** Limits 5 % above what the traffic needs on average, so that every burst meets them; an outage in the middle. */
function planFor(workload: Workload, { speed, seed, calls, stay }: Arguments): ProviderPlan {
  const minutes = Math.max(1, workload.recordedSeconds / speed) / 60;
  const lengthMs = minutes * 60_000;
  return {
    requestsPerMinute: Math.ceil((calls / minutes) * 1.05),
    tokensPerMinute: Math.ceil((Math.max(workload.recordedTokens, calls * 1024) / minutes) * 1.3),
    outage: { from: lengthMs * 0.4, to: lengthMs * 0.4 + Math.min(OUTAGE_MS, lengthMs * 0.1) },
    ...(stay && { outageEveryMs: STAY_OUTAGE_EVERY_MS }),
    speed,
    seed,
  };
}

function describeJob({ baseURL, speed, calls }: Arguments, workload: Workload, plan: ProviderPlan): void {
  console.log(
    `${calls.toLocaleString("en-US")} calls as they arrived at a real LLM service (${Math.round(workload.recordedSeconds)} s of the Azure trace), ` +
      `${speed} times faster.\n${workload.repeats} of them (${((100 * workload.repeats) / calls).toFixed(1)} %) ask what was asked before.`,
  );
  if (baseURL !== undefined) {
    console.log(`Provider: ${baseURL}`);
    return;
  }
  const perSecond = (plan.requestsPerMinute / 60).toFixed(0);
  console.log(
    `The provider is simulated: OpenAI's limits and errors (${perSecond} requests/s, 5 % above the average need; bursts of half a second), ` +
      `${((plan.outage.to - plan.outage.from) / 1000).toFixed(1)} s\nwithout capacity (503), 1 % errors (500), 1 % streams cut, 1 % slow starts.\n`,
  );
}

async function barePass(args: Arguments, workload: Workload, plan: ProviderPlan): Promise<PassSummary> {
  const provider = await startProvider(plan);
  try {
    const client = new OpenAI({ apiKey: "sk-simulated", baseURL: provider.url });
    const send: Send = (_call, body, signal) => client.chat.completions.create(body, { signal });
    const results = await runPass(
      workload.calls,
      targetOf(args),
      send,
      showProgress("bare OpenAI client"),
      stop.signal,
    );
    return summarise("bare OpenAI client", results, await provider.summary());
  } finally {
    await provider.close();
  }
}

function targetOf({ model, baseURL }: Arguments): Target {
  return { model, simulated: baseURL === undefined };
}

function showProgress(name: string): (progress: Progress) => void {
  const width = 30;
  let lastTenth = -1;
  return ({ sent, answered, failed, total }) => {
    const done = answered + failed;
    const text = `${name.padEnd(20)} sent ${sent}, answered ${answered}, failed ${failed} of ${total}`;
    if (process.stdout.isTTY) {
      const bar = "#".repeat(Math.round((done / total) * width)).padEnd(width, ".");
      process.stdout.write(`\r\u001B[2K[${bar}] ${text}${done === total ? "\n" : ""}`);
      return;
    }
    const tenth = Math.floor((done / total) * 5);
    if (tenth === lastTenth) return;
    lastTenth = tenth;
    console.log(text);
  };
}

let args: Arguments;
try {
  args = readArguments(process.argv.slice(2));
} catch (error) {
  console.error(`${(error as Error).message}\nRun "npm start -- --help" for all options.`);
  process.exit(2);
}
if (args.help) {
  console.log(HELP);
} else {
  process.once("SIGINT", () => {
    console.log("\nStopping: open calls are cancelled, then comes the table so far. Ctrl-C again ends at once.");
    process.once("SIGINT", () => process.exit(130));
    stop.abort(new Error("stopped"));
  });
  await main(args);
  if (stop.signal.aborted) process.exitCode = 130;
}
