import { describe, expect, test } from "bun:test";
import { createFreeDisk, isNearlyFull } from "../../src/host/free-disk.ts";
import { createFakeClock } from "../support/fake-clock.ts";

const mebibyte = 1024 * 1024;

describe("a disk", () => {
  const cases: [what: string, sizeBytes: number, freeBytes: number, isFull: boolean][] = [
    ["with 16 MiB free is not nearly full, however large it is", 2 ** 50, 16 * mebibyte, false],
    ["with less is", 2 ** 50, 16 * mebibyte - 4096, true],
    ["that is small is not, with a tenth of it free", 40 * mebibyte, 4 * mebibyte, false],
    ["that is small is, with less", 40 * mebibyte, 4 * mebibyte - 4096, true],
    ["without any room is", 40 * mebibyte, 0, true],
    ["that does not tell its size is not", 0, 0, false],
  ];
  test.each(cases)("%s", (_, sizeBytes, freeBytes, isFull) => {
    expect(isNearlyFull({ bsize: 4096, blocks: sizeBytes / 4096, bavail: freeBytes / 4096 })).toBe(isFull);
  });

  test("that cannot be asked is not", () => {
    expect(createFreeDisk("/no/such/folder", createFakeClock())()).toBe(false);
  });
});
