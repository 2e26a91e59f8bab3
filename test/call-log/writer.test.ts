import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { LogFile } from "../../src/call-log/file.ts";
import { callLog } from "../../src/call-log/index.ts";
import { readCallLogOptions } from "../../src/call-log/options.ts";
import { COLUMNS } from "../../src/call-log/row.ts";
import { RowWriter } from "../../src/call-log/writer.ts";
import { temporaryFolder } from "../stores/support.ts";
import { rigged, tellOfCall } from "./support.ts";

const folder = temporaryFolder();

describe("a flush", () => {
  it("writes a row that comes at whatever moment while the one before it ends", async () => {
    const { optimizer } = rigged();
    const { runtime } = optimizer.line;
    const settings = readCallLogOptions({ path: ":memory:" });
    for (let turns = 0; turns < 10; turns++) {
      let second: Promise<void> | undefined;
      const addLater = async (): Promise<void> => {
        for (let turn = 0; turn < turns; turn++) await undefined;
        writer.add(COLUMNS.map(() => 0));
        await writer.flush();
        expect([turns, writer.queued]).toEqual([turns, 0]);
      };
      class File extends LogFile {
        override async append(rows: Parameters<LogFile["append"]>[0]): Promise<void> {
          await super.append(rows);
          second ??= addLater();
        }
      }
      const file = new File(settings, runtime.clock, () => {});
      const writer = new RowWriter(file, runtime, settings);
      writer.add(COLUMNS.map(() => 0));
      await writer.flush();
      await second;
      expect(writer.written).toBe(2);
      await file.close();
    }
    await optimizer.close();
  });
});

describe("counts that no provider can mean", () => {
  it("leave the log as it is, and can be read", async () => {
    const { optimizer } = rigged({ cache: false });
    const rebuilt: unknown[] = [];
    optimizer.on("calllog.rebuilt", (event) => void rebuilt.push(event));
    await using log = callLog(optimizer, { path: join(folder, "counts.db") });
    tellOfCall(optimizer, { model: "before" });
    await log.flush();
    const usage = { input_tokens: 1e18, output_tokens: 1e300, cachedInputTokens: 2 ** 53, reasoningTokens: 2 ** 63 };
    await optimizer.call({ model: "giant", input: "q" }, () => ({ text: "a", usage }));
    const { rows } = await log.query({ sort: "startedAt" });
    expect(rows.map(({ model }) => model).toSorted()).toEqual(["before", "giant"]);
    expect(rows.find(({ model }) => model === "giant")).toMatchObject({
      inputTokens: Number.MAX_SAFE_INTEGER,
      outputTokens: Number.MAX_SAFE_INTEGER,
      cachedInputTokens: Number.MAX_SAFE_INTEGER,
      reasoningTokens: Number.MAX_SAFE_INTEGER,
    });
    expect(rebuilt).toEqual([]);
    await optimizer.close();
  });
});
