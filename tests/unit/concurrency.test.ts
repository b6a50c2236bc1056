import { expect, test } from "bun:test";
import { createAdmission, createSemaphore } from "../../src/limits/concurrency.ts";
import { rejectionOf } from "../support/rejection.ts";

test("so many pass at once, the others in their order, also behind one that failed", async () => {
  const semaphore = createSemaphore(2);
  const begun: number[] = [];
  const ends = Array.from({ length: 5 }, () => Promise.withResolvers<number>());
  const passing = ends.map(({ promise }, n) =>
    semaphore.run(() => {
      begun.push(n);
      return promise;
    }),
  );
  const results = Promise.allSettled(passing);
  expect([begun, semaphore.active()]).toEqual([[0, 1], 2]);
  ends[1]?.reject(new Error("no"));
  await passing[1]?.catch(() => {});
  expect([begun, semaphore.active()]).toEqual([[0, 1, 2], 2]);
  for (const [n, { resolve }] of ends.entries()) resolve(n);
  expect((await results).map(({ status }) => status)).toEqual([
    "fulfilled",
    "rejected",
    "fulfilled",
    "fulfilled",
    "fulfilled",
  ]);
  expect([begun, semaphore.active()]).toEqual([[0, 1, 2, 3, 4], 0]);
});

test("who gives up while waiting leaves at once, and takes nobody's turn", async () => {
  const semaphore = createSemaphore(1);
  const begun: string[] = [];
  const first = Promise.withResolvers<void>();
  const passing = semaphore.run(() => first.promise);
  const enter = (name: string, signal?: AbortSignal): Promise<void> =>
    semaphore.run(async () => {
      begun.push(name);
    }, signal);
  const leaving = new AbortController();
  const gone = enter("gone", leaving.signal);
  const patient = new AbortController();
  const others = [enter("second", patient.signal), enter("third")];
  const reason = new Error("no time");
  leaving.abort(reason);
  expect(await rejectionOf(gone)).toBe(reason);
  expect([begun, semaphore.active()]).toEqual([[], 1]);
  first.resolve();
  await Promise.all([passing, ...others]);
  // An abort that comes after the end changes nothing.
  patient.abort();
  expect([begun, semaphore.active()]).toEqual([["second", "third"], 0]);
});

test("who has given up before does not begin, even where there is room", async () => {
  const semaphore = createSemaphore(1);
  const reason = new Error("too late");
  let isBegun = false;
  const work = async (): Promise<void> => {
    isBegun = true;
  };
  expect(await rejectionOf(semaphore.run(work, AbortSignal.abort(reason)))).toBe(reason);
  expect([isBegun, semaphore.active()]).toEqual([false, 0]);
});

test("a place is given back by work that throws before it waits for anything", async () => {
  const semaphore = createSemaphore(1);
  const error = new Error("fell");
  const thrown = semaphore.run(() => {
    throw error;
  });
  expect(await rejectionOf(thrown)).toBe(error);
  expect([await semaphore.run(async () => "next"), semaphore.active()]).toEqual(["next", 0]);
});

test("as many as there is room for run at once, the next is refused with when to come back", async () => {
  const admit = createAdmission(2, "guests");
  const held = Promise.withResolvers<string>();
  const both = [admit(() => held.promise), admit(() => held.promise)];
  let isRun = false;
  const third = admit(async () => {
    isRun = true;
  });
  expect(await rejectionOf(third)).toMatchObject({
    name: "TaskError",
    code: "resource_exhausted",
    message: "there are 2 guests already",
    retryAfterMs: 1000,
  });
  expect(isRun).toBe(false);
  held.resolve("done");
  expect(await Promise.all(both)).toEqual(["done", "done"]);
});

test("each that ends makes room, however it ended", async () => {
  const admit = createAdmission(1, "guests");
  expect(await admit(async () => "first")).toBe("first");
  const error = new Error("fell");
  expect(await rejectionOf(admit(() => Promise.reject(error)))).toBe(error);
  const thrown = admit(() => {
    throw error;
  });
  expect(await rejectionOf(thrown)).toBe(error);
  expect(await admit(async () => "last")).toBe("last");
});
