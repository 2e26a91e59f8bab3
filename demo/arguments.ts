import { parseArgs } from "node:util";
import { TRACE_LENGTH_MAX } from "./workload.ts";

export interface Arguments {
  readonly calls: number;
  readonly speed: number;
  readonly seed: number;
  readonly model: string;
  /** A real provider; absent: the simulated one. */
  readonly baseURL: string | undefined;
  /** Goes on with the traffic, and with it the dashboard, until Ctrl-C. */
  readonly stay: boolean;
  /** Where the dashboard listens; 0 takes any port that is free. */
  readonly port: number;
  readonly help: boolean;
}

export const HELP = `npm start [-- options]

Sends recorded traffic (arrival times and token counts of the Azure LLM inference trace, questions of real bank
customers) to a provider, first through a bare OpenAI client, then through one wrapped by Breakwater, and compares.
By default the provider is simulated on this machine: its latencies and faults are invented, its limits, headers and
error bodies are those of OpenAI's API.

  --calls N      how many calls of the trace, 1 to ${TRACE_LENGTH_MAX} (default 2000)
  --speed N      how many times faster than recorded (default 12)
  --seed N       seed of the simulation and of the choice of repeats (default 1)
  --model NAME   model asked for and priced (default gpt-4o-mini)
  --base-url URL a real OpenAI-compatible provider instead of the simulated one, for example
                 https://api.openai.com/v1; the key is read from OPENAI_API_KEY. Only the wrapped client runs then.
                 Every call costs money: start with --calls 20 --speed 1
  --stay         keep the traffic and the dashboard going after the comparison, until Ctrl-C
  --port N       port of the dashboard on 127.0.0.1 (default 9464; any free one where that is taken)
  --help         this text

Examples:
  npm start
  npm start -- --calls 500
  npm start -- --stay
  OPENAI_API_KEY=... npm start -- --base-url https://api.openai.com/v1 --calls 20 --speed 1
`;

/** Reads the command line. Throws an `Error` whose message says what is accepted. */
export function readArguments(argv: readonly string[]): Arguments {
  const { values } = parseArgs({
    args: [...argv],
    options: {
      calls: { type: "string", default: "2000" },
      speed: { type: "string", default: "12" },
      seed: { type: "string", default: "1" },
      model: { type: "string", default: "gpt-4o-mini" },
      "base-url": { type: "string" },
      stay: { type: "boolean", default: false },
      port: { type: "string", default: "9464" },
      help: { type: "boolean", default: false },
    },
  });
  const baseURL = values["base-url"];
  if (baseURL !== undefined && !URL.canParse(baseURL))
    throw new Error(`--base-url is "${baseURL}"; it takes a URL such as https://api.openai.com/v1`);
  if (baseURL !== undefined && !process.env["OPENAI_API_KEY"]) {
    throw new Error("--base-url needs the provider's key in the variable OPENAI_API_KEY");
  }
  if (baseURL !== undefined && values.stay) {
    throw new Error("--stay sends calls without end, and those of a real provider cost money: leave --base-url out");
  }
  return {
    calls: wholeNumber("--calls", values.calls, 1, TRACE_LENGTH_MAX),
    speed: wholeNumber("--speed", values.speed, 1, 60),
    seed: wholeNumber("--seed", values.seed, 0, 2 ** 32 - 1),
    model: values.model,
    baseURL,
    stay: values.stay,
    port: wholeNumber("--port", values.port, 0, 65_535),
    help: values.help,
  };
}

function wholeNumber(name: string, text: string, min: number, max: number): number {
  const value = Number(text);
  if (Number.isInteger(value) && value >= min && value <= max) return value;
  throw new Error(`${name} is "${text}"; it takes a whole number from ${min} to ${max}`);
}
