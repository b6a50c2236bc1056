import { expect, test } from "bun:test";
import { createGate } from "../../src/limits/gate.ts";
import { rejectionOf } from "../support/rejection.ts";

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

test("who gives up while waiting leaves at once, and takes nobody's turn", async () => {
  const gate = createGate(1);
  const begun: string[] = [];
  const first = Promise.withResolvers<void>();
  const passing = gate.pass(() => first.promise);
  const enter = (name: string, signal?: AbortSignal): Promise<void> =>
    gate.pass(async () => {
      begun.push(name);
    }, signal);
  const leaving = new AbortController();
  const gone = enter("gone", leaving.signal);
  const patient = new AbortController();
  const others = [enter("second", patient.signal), enter("third")];
  const reason = new Error("no time");
  leaving.abort(reason);
  expect(await rejectionOf(gone)).toBe(reason);
  expect([begun, gate.active()]).toEqual([[], 1]);
  first.resolve();
  await Promise.all([passing, ...others]);
  // An abort that comes after the end changes nothing.
  patient.abort();
  expect([begun, gate.active()]).toEqual([["second", "third"], 0]);
});

test("who has given up before does not begin, even where there is room", async () => {
  const gate = createGate(1);
  const reason = new Error("too late");
  let isBegun = false;
  const work = async (): Promise<void> => {
    isBegun = true;
  };
  expect(await rejectionOf(gate.pass(work, AbortSignal.abort(reason)))).toBe(reason);
  expect([isBegun, gate.active()]).toEqual([false, 0]);
});

test("a place is given back by work that throws before it waits for anything", async () => {
  const gate = createGate(1);
  const error = new Error("fell");
  const thrown = gate.pass(() => {
    throw error;
  });
  expect(await rejectionOf(thrown)).toBe(error);
  expect([await gate.pass(async () => "next"), gate.active()]).toEqual(["next", 0]);
});
