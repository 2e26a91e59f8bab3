import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { IndexedHeap } from "../../src/core/indexed-heap.ts";

interface Member {
  rank: number;
  readonly id: number;
  index: number;
}

describe("IndexedHeap", () => {
  it("has the least first and knows where everybody stands, over any sequence of changes", () => {
    const command = fc.record({
      type: fc.constantFrom("push", "push", "update", "remove"),
      which: fc.nat(1_000),
      rank: fc.nat(20),
    });
    fc.assert(
      fc.property(fc.array(command, { maxLength: 200 }), (commands) => {
        const heap = new IndexedHeap<Member>(
          (a, b) => a.rank < b.rank || (a.rank === b.rank && a.id < b.id),
          (member, index) => {
            member.index = index;
          },
        );
        const members: Member[] = [];
        let id = 0;
        for (const { type, which, rank } of commands) {
          const member = members[which % Math.max(1, members.length)];
          if (type === "push" || member === undefined) {
            const added = { rank, id: id++, index: -1 };
            members.push(added);
            heap.push(added);
          } else if (type === "update") {
            member.rank = rank;
            heap.update(member.index);
          } else {
            heap.remove(member.index);
            expect(member.index).toBe(-1);
            members.splice(members.indexOf(member), 1);
          }
          expect(heap.size).toBe(members.length);
          expect(heap.first).toBe(members.toSorted((a, b) => a.rank - b.rank || a.id - b.id)[0]);
          expect([...heap].map(({ index }) => index)).toEqual(members.map((_, index) => index));
        }
      }),
      { numRuns: 300 },
    );
  });
});
