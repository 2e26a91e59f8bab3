/** Waits until an answer is there as a whole: only then may it be kept, and only then is its call over. */
export async function readWhole(result: unknown): Promise<void> {
  if (result instanceof Response) {
    if (!result.bodyUsed) await result.arrayBuffer();
  } else if (isAsyncIterable(result)) {
    for await (const _ of result) {
      // Reading is all that is wanted.
    }
  }
}

function isAsyncIterable(value: unknown): value is AsyncIterable<unknown> {
  return typeof value === "object" && value !== null && Symbol.asyncIterator in value;
}
