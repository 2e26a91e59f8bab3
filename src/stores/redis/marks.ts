import { randomBytes, randomInt } from "node:crypto";
import { type Clock, type Marks, StoreError, type StoreMarks, type Sweep } from "../../core/index.ts";
import { AS_BYTES, type Commands, type RedisCommand } from "../../redis/index.ts";
import { GENERATION_BYTES, newGeneration } from "../generation.ts";
import type { RedisKeys } from "./keys.ts";
import { BEGIN_ONLY, CLEAR, INVALIDATE, SWEEP, SWEEPS_SINCE } from "./scripts.ts";

const BIRTH_BYTES = 8;
const FIRST_SEQ_MAX = 2 ** 47;
// A longer one is told as `missed`: who hears of it drops what it holds rather than parse for long.
const CHANGE_CHARS_MAX = 65_536;

type Read = Awaited<ReturnType<StoreMarks["read"]>>;

/** The generation of a namespace and what has been invalidated in it. Changes are atomic, by scripts. */
export class RedisMarks implements StoreMarks {
  /** Absent where the client given cannot listen. */
  watch?: NonNullable<StoreMarks["watch"]>;
  /** Who made a change. */
  readonly origin = randomBytes(9).toString("base64url");
  readonly #commands: Commands;
  readonly #keys: RedisKeys;
  readonly #clock: Clock;
  // As last read. An entry written under one that has passed is never found: late, but not wrong.
  #generation: Buffer | undefined;
  #beginning: Promise<Buffer> | undefined;

  constructor(commands: Commands, keys: RedisKeys, clock: Clock) {
    this.#commands = commands;
    this.#keys = keys;
    this.#clock = clock;
  }

  /** The generation under which an entry has to be written. */
  generation(): Buffer | Promise<Buffer> {
    return this.#generation ?? this.#begin();
  }

  async read(key: string, tags: readonly string[]): Promise<Read> {
    const read = await this.#tryRead(key, tags);
    if (read !== undefined) return read;
    await this.#begin();
    return (await this.#tryRead(key, tags)) ?? forgetful();
  }

  async marks(tags: readonly string[]): Promise<Marks> {
    const marks = await this.#tryMarks(tags);
    if (marks !== undefined) return marks;
    await this.#begin();
    return (await this.#tryMarks(tags)) ?? forgetful();
  }

  async invalidate(tags: readonly string[]): Promise<void> {
    if (tags.length === 0) return;
    const unique = [...new Set(tags)];
    await this.#change(INVALIDATE, { kind: "tags", tags: unique }, unique);
  }

  async sweep(pattern: string): Promise<void> {
    await this.#change(SWEEP, { kind: "sweep", pattern }, [pattern]);
  }

  async clear(): Promise<void> {
    await this.#change(CLEAR, { kind: "clear" }, [randomBytes(GENERATION_BYTES - BIRTH_BYTES)]);
  }

  async sweepsSince(after: number): Promise<{ readonly sweeps: readonly Sweep[]; readonly complete: boolean }> {
    const reply = (await this.#script(SWEEPS_SINCE, [String(after)])) as Buffer[];
    const [sweep = "0", ...texts] = reply.map(String);
    const sweeps = texts.map(sweepOf).reverse();
    return { sweeps, complete: sweeps.length === Number(sweep) - after };
  }

  /** The number of the last change. */
  async seq(): Promise<number> {
    const ask = (): Promise<unknown> => this.#commands.send(this.#keys.marks, ["HGET", this.#keys.marks, "seq"]);
    let seq = await ask();
    if (seq === null) {
      await this.#begin();
      seq = await ask();
    }
    return Number(seq);
  }

  async #tryRead(key: string, tags: readonly string[]): Promise<Read | undefined> {
    const [[state, value], generations] = await Promise.all([this.#stateAndValue(key), this.#generations(tags)]);
    if (state === null || generations === undefined || !this.#learn(state)) return undefined;
    const isPresent = value?.subarray(0, GENERATION_BYTES).equals(state.subarray(0, GENERATION_BYTES)) === true;
    return {
      bytes: isPresent ? value.subarray(GENERATION_BYTES) : undefined,
      marks: { generations, sweep: Number(state.toString("latin1", GENERATION_BYTES)) },
    };
  }

  async #stateAndValue(key: string): Promise<readonly [Buffer | null, Buffer | null]> {
    const { state, entry, oneSlot } = this.#keys;
    const value = entry(key);
    const reply = oneSlot
      ? await this.#commands.send(value, ["MGET", state, value], AS_BYTES)
      : await Promise.all([
          this.#commands.send(state, ["GET", state], AS_BYTES),
          this.#commands.send(value, ["GET", value], AS_BYTES),
        ]);
    return reply as [Buffer | null, Buffer | null];
  }

  async #tryMarks(tags: readonly string[]): Promise<Marks | undefined> {
    const { marks } = this.#keys;
    const command = ["HMGET", marks, "generation", "epoch", "sweep", ...tags.map(fieldOf)];
    const reply = (await this.#commands.send(marks, command, AS_BYTES)) as (Buffer | null)[];
    const [generation, epoch, sweep, ...counts] = reply;
    if (!generation || !epoch || !sweep || !this.#learn(generation)) return undefined;
    return { generations: counts.map((count) => Number(epoch) + Number(count)), sweep: Number(sweep) };
  }

  /** `undefined` when the namespace has no marks. */
  async #generations(tags: readonly string[]): Promise<readonly number[] | undefined> {
    if (tags.length === 0) return [];
    const { marks } = this.#keys;
    const command = ["HMGET", marks, "epoch", ...tags.map(fieldOf)];
    const [epoch, ...counts] = (await this.#commands.send(marks, command)) as (string | null)[];
    return epoch ? counts.map((count) => Number(epoch) + Number(count)) : undefined;
  }

  /** Notes the generation; false when the namespace has been begun anew since it was last noted. */
  #learn(state: Buffer): boolean {
    const known = this.#generation;
    if (known !== undefined && known.compare(state, 0, BIRTH_BYTES, 0, BIRTH_BYTES) !== 0) return false;
    if (known === undefined || known.compare(state, 0, GENERATION_BYTES) !== 0) {
      this.#generation = Buffer.from(state.subarray(0, GENERATION_BYTES));
    }
    return true;
  }

  #begin(): Promise<Buffer> {
    this.#beginning ??= this.#script(BEGIN_ONLY, [])
      .then((generation) => this.#note(generation))
      .finally(() => {
        this.#beginning = undefined;
      });
    return this.#beginning;
  }

  async #change(script: string, change: object, details: RedisCommand): Promise<void> {
    const text = JSON.stringify({ origin: this.origin, ...change });
    const told = text.length > CHANGE_CHARS_MAX ? JSON.stringify({ origin: this.origin, kind: "missed" }) : text;
    this.#note(await this.#script(script, [this.#keys.channel, told, ...details]));
  }

  #note(generation: unknown): Buffer {
    if (!(generation instanceof Buffer) || generation.length !== GENERATION_BYTES) forgetful();
    this.#generation = generation as Buffer;
    return generation as Buffer;
  }

  #script(script: string, details: RedisCommand): Promise<unknown> {
    const { marks, state, sweeps } = this.#keys;
    const wall = String(Math.round(this.#clock.wall()));
    const birth = this.#generation?.subarray(0, BIRTH_BYTES) ?? "";
    const beginning = [newGeneration(), String(randomInt(FIRST_SEQ_MAX)), wall, birth];
    return this.#commands.send(marks, ["EVAL", script, "3", marks, state, sweeps, ...beginning, ...details], AS_BYTES);
  }
}

function fieldOf(tag: string): string {
  return `t:${tag}`;
}

function sweepOf(text: string): Sweep {
  const end = text.indexOf(" ");
  return { number: Number(text.slice(0, end)), pattern: text.slice(end + 1) };
}

function forgetful(): never {
  throw new StoreError("Redis does not keep what is written to it.");
}
