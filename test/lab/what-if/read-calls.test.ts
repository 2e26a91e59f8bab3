import { expect, it } from "vitest";
import {
  readAzureCalls,
  readBurstGptCalls,
  readMooncakeCalls,
  readTracedCalls,
  TraceError,
} from "../../../src/lab/index.ts";

it("reads Azure's traces", () => {
  const text =
    "TIMESTAMP,ContextTokens,GeneratedTokens\n2023-11-16 18:15:46.6805900,374,44\n2023-11-16 18:15:50.9951690,396,109\n";
  const [first, second] = [...readAzureCalls(text)];
  expect(first).toEqual({ at: Date.UTC(2023, 10, 16, 18, 15, 46, 680), inputTokens: 374, outputTokens: 44 });
  expect((second?.at ?? 0) - (first?.at ?? 0)).toBe(4_315);
  expect(() => [...readAzureCalls("TIMESTAMP\nyesterday,1,2")]).toThrow(TraceError);
});

it("reads Mooncake's traces, where the last block and the length tell what is the same", () => {
  const rows = [
    { timestamp: 0, input_length: 6_755, output_length: 500, hash_ids: [0, 1, 13] },
    { timestamp: 3_000, input_length: 6_755, output_length: 7, hash_ids: [0, 1, 13] },
    { timestamp: 3_000, input_length: 6_700, output_length: 7, hash_ids: [0, 1, 13] },
  ];
  const calls = [...readMooncakeCalls(rows.map((row) => JSON.stringify(row)).join("\n"))];
  expect(calls[0]).toMatchObject({ at: 0, inputTokens: 6_755, outputTokens: 500 });
  expect(calls[1]?.question).toBe(calls[0]?.question);
  expect(calls[2]?.question).not.toBe(calls[0]?.question);
  expect(() => [...readMooncakeCalls('{"timestamp": "soon"}')]).toThrow(/Line 1/);
});

it("reads BurstGPT's traces, the first release and the one with sessions and times", () => {
  const first =
    "Timestamp,Model,Request tokens,Response tokens,Total tokens,Log Type\n5,ChatGPT,472,18,490,Conversation log\n9,GPT-4,417,0,417,API log\n";
  expect([...readBurstGptCalls(first)]).toEqual([
    { at: 5_000, model: "ChatGPT", inputTokens: 472, outputTokens: 18, client: undefined, providerMs: undefined },
    {
      at: 9_000,
      model: "GPT-4",
      inputTokens: 417,
      outputTokens: 0,
      client: undefined,
      providerMs: undefined,
      outcome: "server_error",
      failures: ["server_error"],
    },
  ]);
  const second =
    "Timestamp,Session ID,Elapsed time,Model,Request tokens,Response tokens,Total tokens,Log Type\n5,s1,1.5,GPT-4,472,18,490,Conversation log\n6,,2,GPT-4,1,2,3,API log\n";
  const calls = [...readBurstGptCalls(second)];
  expect(calls[0]).toMatchObject({ client: "s1", providerMs: 1_500 });
  expect(calls[1]?.client).toBeUndefined();
  expect(() => [...readBurstGptCalls("Timestamp,Model\n1,GPT-4")]).toThrow(/lacks the column "Request tokens"/);
  expect(() => [...readBurstGptCalls(first.replace("472", "many"))]).toThrow(/Line 2/);
});

it("reads recorded traces, and tells the line that it cannot read", () => {
  expect([...readTracedCalls('{"at":1}\n\n{"at":2,"model":"m"}\n')]).toEqual([{ at: 1 }, { at: 2, model: "m" }]);
  expect(() => [...readTracedCalls('{"at":1}\n{"model":"m"}')]).toThrow(/Line 2/);
});
