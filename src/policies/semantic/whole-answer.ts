import { type Call, type Chunk, type KeptAnswer, plainCopy, type Reply } from "../../core/index.ts";

// Holding a chunk costs something even when it is empty.
const CHUNK_BYTES_MIN = 16;

/**
 * Runs `then` with the answer when it has proven to be whole and good and came from the provider for this very call.
 * Larger ones than `bytesMax` are let go.
 */
export function whenWhole(call: Call, reply: Reply, bytesMax: number, then: (answer: KeptAnswer) => void): void {
  const { body } = reply;
  // A value is taken now, because the caller may change it as soon as it has it.
  const take = body.kind === "stream" ? recordingOf(call, reply, bytesMax) : snapshotOf(call, reply, body.value);
  reply.settled.subscribe((settlement) => {
    // Who stands for an answer that several share is known when it is over.
    if (!settlement.storable || reply.servedBy !== "upstream") return;
    const answer = take();
    if (answer !== undefined && Buffer.byteLength(answer.text) <= bytesMax) then(answer);
  });
}

type Take = () => KeptAnswer | undefined;

function snapshotOf(call: Call, reply: Reply, value: unknown): Take {
  const answer = reply.servedBy === "upstream" ? keep(call, reply, { value }) : undefined;
  return () => answer;
}

function recordingOf(call: Call, reply: Reply, bytesMax: number): Take {
  let chunks: unknown[] | undefined = [];
  let bytes = 0;
  const record = (chunk: Chunk): void => {
    if (chunks === undefined) return;
    const copy = plainCopy(chunk.value);
    bytes += Math.max(CHUNK_BYTES_MIN, copy.bytes);
    if (bytes > bytesMax) chunks = undefined;
    else chunks.push(copy.value);
  };
  if (reply.body.kind === "stream") reply.body.observe({ chunk: record });
  return () => (chunks === undefined ? undefined : keep(call, reply, { chunks }));
}

// What a wire cannot read must not fail the call that brought it.
function keep(call: Call, { head }: Reply, body: { value: unknown } | { chunks: unknown[] }): KeptAnswer | undefined {
  try {
    return call.wire.keep(call, head, body);
  } catch {
    return undefined;
  }
}
