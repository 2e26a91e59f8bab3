import { type Call, type KeptAnswer, keptValue, Recording, type Reply } from "../../core/index.ts";

/**
 * Runs `then` with the answer when it has proven to be whole and good and came from the provider for this very call.
 * Larger ones than `bytesMax` are let go.
 */
export function whenWhole(call: Call, reply: Reply, bytesMax: number, then: (answer: KeptAnswer) => void): void {
  const take = takerOf(call, reply, bytesMax);
  reply.settled.subscribe((settlement) => {
    // Who stands for an answer that several share is known when it is over.
    if (!settlement.storable || reply.servedBy !== "upstream") return;
    const answer = take();
    if (answer !== undefined && Buffer.byteLength(answer.text) <= bytesMax) then(answer);
  });
}

function takerOf(call: Call, reply: Reply, bytesMax: number): () => KeptAnswer | undefined {
  const { body, head } = reply;
  if (body.kind === "stream") {
    const recording = new Recording(call, bytesMax);
    body.observe({ chunk: (chunk) => recording.add(chunk) });
    return () => recording.keep(head);
  }
  // Now, because the caller may change its value as soon as it has it.
  const answer = reply.servedBy === "upstream" ? keptValue(call, head, body) : undefined;
  return () => answer;
}
