import { expect, test } from "bun:test";
import { createGate } from "../../src/store/gate.ts";

test("so many pass at once, the others in their order, also behind one that failed", async () => {
  const gate = createGate(2);
  const begun: number[] = [];
  const ends = Array.from({ length: 5 }, () => Promise.withResolvers<number>());
  const passing = ends.map(({ promise }, n) =>
    gate.pass(() => {
      begun.push(n);
      return promise;
    }),
  );
  const results = Promise.allSettled(passing);
  expect([begun, gate.active()]).toEqual([[0, 1], 2]);
  ends[1]?.reject(new Error("no"));
  await passing[1]?.catch(() => {});
  expect([begun, gate.active()]).toEqual([[0, 1, 2], 2]);
  for (const [n, { resolve }] of ends.entries()) resolve(n);
  expect((await results).map(({ status }) => status)).toEqual([
    "fulfilled",
    "rejected",
    "fulfilled",
    "fulfilled",
    "fulfilled",
  ]);
  expect([begun, gate.active()]).toEqual([[0, 1, 2, 3, 4], 0]);
});
