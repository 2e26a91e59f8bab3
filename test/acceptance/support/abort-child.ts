/** Gives up calls everywhere, again and again, and prints how much the heap has grown meanwhile. Needs `--expose-gc`. */
import { ABORT_POINTS } from "./abort-points.ts";

const perPoint = Number(process.argv[2]);
const gc = globalThis.gc as () => void;
const left = new Error("left");

const points = await Promise.all(Object.values(ABORT_POINTS).map((make) => make()));

async function giveUp(times: number): Promise<void> {
  for (const point of points) {
    for (let index = 0; index < times; index++) {
      const { call, end } = await point.begin();
      call.cancellation.cancel(left);
      await end;
      if (call.cancellation.listenerCount > 0) throw new Error("a listener was left behind");
    }
  }
}

function heap(): number {
  gc();
  gc();
  return process.memoryUsage().heapUsed;
}

await giveUp(Math.ceil(perPoint / 10));
const before = heap();
await giveUp(perPoint);
const grown = heap() - before;
console.log(JSON.stringify({ grown, iterations: perPoint * points.length }));
