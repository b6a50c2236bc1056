import { describe, expect, test } from "bun:test";
import { closeSync, openSync } from "node:fs";
import fc from "fast-check";
import { type ListenerReserve, mostOpenFiles, openFileCount } from "../../src/host/open-files.ts";

describe("the files that may be open while a listener takes connections", () => {
  const cases: [what: string, reserve: ListenerReserve, limit: number, openAtStart: number, most: number][] = [
    ["leave a quarter free for callers from outside", "outer", 1024, 70, 768],
    ["leave an eighth free for roles and probes", "inner", 1024, 70, 896],
    ["leave no more than 512 free", "outer", 1_048_576, 70, 1_048_064],
    ["use at least half of what is left by the process itself", "outer", 128, 112, 120],
    ["are all at a limit that is used up", "inner", 128, 128, 128],
  ];
  test.each(cases)("%s", (_, reserve, limit, openAtStart, most) => {
    expect(mostOpenFiles(reserve, limit, openAtStart)).toBe(most);
  });

  test("are more for roles than for callers, and between the process's own and the limit", () => {
    fc.assert(
      fc.property(fc.nat(2 ** 20), fc.nat(2 ** 20), (limit, openAtStart) => {
        fc.pre(openAtStart <= limit);
        const [outer, inner] = [mostOpenFiles("outer", limit, openAtStart), mostOpenFiles("inner", limit, openAtStart)];
        expect([openAtStart <= outer, outer <= inner, inner <= limit]).toEqual([true, true, true]);
      }),
    );
  });
});

test("the open files are counted", () => {
  const before = openFileCount();
  const held = Array.from({ length: 200 }, () => openSync("/dev/null", "r"));
  const during = openFileCount();
  for (const descriptor of held) closeSync(descriptor);
  // Other tests of this process open and close files too.
  expect(during - before).toBeGreaterThan(100);
});
