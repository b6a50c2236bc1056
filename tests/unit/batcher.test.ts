import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { systemClock } from "../../src/limits/clock.ts";
import { type CallResult, createBatcher, createResults } from "../../src/queue/batcher.ts";
import type { EntryResult } from "../../src/words/entry-result.ts";
import { TaskError, toTaskError } from "../../src/words/errors.ts";
import { eventually } from "../support/eventually.ts";
import { createFakeClock, type FakeClock } from "../support/fake-clock.ts";
import { rejectionOf } from "../support/rejection.ts";

type Fate = "good" | "bad" | "throttled" | "lost";

interface Call {
  entries: string[];
  /** Ends the call; by default every entry is done. */
  answer(results?: CallResult[]): void;
  fail(error: unknown): void;
}

interface Batching {
  /** One entry alone. Gives its own text in capitals when it is done. */
  put(entry: string): Promise<string>;
  /** Several of one caller. */
  putAll(entries: readonly string[]): Promise<EntryResult<void>[]>;
  /** Every call so far, open or answered. */
  calls: Call[];
  clock: FakeClock;
}

/** A broker that answers when the test says so. */
function startBatching(bytesOf: (entry: string) => number = () => 1): Batching {
  const clock = createFakeClock();
  const calls: Call[] = [];
  const batcher = createBatcher<string>({
    clock,
    bytesOf,
    call: (entries) => {
      const { promise, resolve, reject } = Promise.withResolvers<CallResult[]>();
      const answer = (results = entries.map(() => done)): void => resolve(results);
      calls.push({ entries: [...entries], answer, fail: reject });
      return promise;
    },
  });
  const putAll = (entries: readonly string[]): Promise<EntryResult<void>[]> => {
    const results = createResults(entries.length);
    for (const [index, entry] of entries.entries()) batcher.put(entry, index, results);
    return results.all;
  };
  const put = async (entry: string): Promise<string> => {
    const [result] = await putAll([entry]);
    if (result?.kind === "failed") throw result.error;
    return entry.toUpperCase();
  };
  return { put, putAll, calls, clock };
}

const done: CallResult = { kind: "done" };

function failed(isFinal: boolean, message = "busy"): CallResult {
  return { kind: "failed", error: new TaskError("unavailable", message), isFinal };
}

function names(count: number): string[] {
  return Array.from({ length: count }, (_, n) => `e${n}`);
}

function until(batching: Batching, calls: number): Promise<boolean> {
  return eventually(() => batching.calls.length === calls);
}

describe("entries of one turn", () => {
  test("leave together at once, and each gets its own result", async () => {
    const batching = startBatching();
    const results = ["a", "b", "c"].map(batching.put);
    await until(batching, 1);
    expect(batching.calls[0]?.entries).toEqual(["a", "b", "c"]);
    batching.calls[0]?.answer();
    expect(await Promise.all(results)).toEqual(["A", "B", "C"]);
    expect([batching.calls.length, batching.clock.sleepers()]).toEqual([1, 0]);
  });

  test("leave in batches of ten, two at a time; the rest waits until one has come back", async () => {
    const batching = startBatching();
    const results = Promise.all(names(35).map(batching.put));
    await until(batching, 2);
    expect(batching.calls.map(({ entries }) => entries.length)).toEqual([10, 10]);

    batching.calls[1]?.answer();
    await until(batching, 3);
    batching.calls[2]?.answer();
    await until(batching, 4);
    batching.calls[0]?.answer();
    batching.calls[3]?.answer();

    expect(await results).toEqual(names(35).map((name) => name.toUpperCase()));
    expect(batching.calls.map(({ entries }) => entries.length)).toEqual([10, 10, 10, 5]);
    expect(batching.calls.flatMap(({ entries }) => entries)).toEqual(names(35));
  });

  test("that come while two calls travel fill the next batch", async () => {
    const batching = startBatching();
    const first = batching.put("a");
    await until(batching, 1);
    const second = batching.put("b");
    await until(batching, 2);
    const rest = ["c", "d"].map(batching.put);
    await Promise.resolve();
    const last = batching.put("e");
    batching.calls[0]?.answer();
    expect(await first).toBe("A");
    await until(batching, 3);
    expect(batching.calls.map(({ entries }) => entries)).toEqual([["a"], ["b"], ["c", "d", "e"]]);
    batching.calls[1]?.answer();
    batching.calls[2]?.answer();
    expect(await Promise.all([second, ...rest, last])).toEqual(["B", "C", "D", "E"]);
  });

  test("are cut where their bytes would be too many for one call, but never to nothing", async () => {
    const batching = startBatching((entry) => Number(entry) * 1024);
    const results = Promise.all(["120", "80", "1", "500", "2"].map(batching.put));
    await until(batching, 2);
    batching.calls[0]?.answer();
    await until(batching, 3);
    batching.calls[1]?.answer();
    await until(batching, 4);
    batching.calls[2]?.answer();
    batching.calls[3]?.answer();
    await results;
    expect(batching.calls.map(({ entries }) => entries)).toEqual([["120", "80"], ["1"], ["500"], ["2"]]);
  });
});

describe("entries of one caller", () => {
  test("have their results in their order, whichever calls they left with", async () => {
    const batching = startBatching();
    const other = batching.put("other");
    const results = batching.putAll(names(14));
    await until(batching, 2);
    expect(batching.calls[0]?.entries).toEqual(["other", ...names(9)]);
    batching.calls[1]?.answer([failed(true, "no e9"), done, done, failed(true, "no e12"), done]);
    batching.calls[0]?.answer();
    const bad = (message: string): EntryResult<void> => ({
      kind: "failed",
      error: new TaskError("unavailable", message),
    });
    expect(await results).toEqual(
      names(14).map((name) => (["e9", "e12"].includes(name) ? bad(`no ${name}`) : { kind: "done", value: undefined })),
    );
    expect(await other).toBe("OTHER");
  });

  test("are all told at once when there are none", async () => {
    const batching = startBatching();
    expect([await batching.putAll([]), batching.calls]).toEqual([[], []]);
  });

  test("each get their own fate, of any mix of good ones, bad ones and such as are throttled", async () => {
    const fate = fc.constantFrom<Fate>("good", "bad", "throttled", "lost");
    const mix = fc.array(fc.array(fate, { maxLength: 25 }), { maxLength: 4 });
    await fc.assert(
      fc.asyncProperty(mix, async (callers) => {
        const tries = new Map<{ fate: Fate }, number>();
        const batcher = createBatcher<{ fate: Fate }>({
          clock: { ...systemClock, sleep: async () => {} },
          bytesOf: () => 30 * 1024,
          call: async (entries) => {
            const answers: CallResult[] = [];
            for (const [n, entry] of entries.entries()) {
              const tried = (tries.get(entry) ?? 0) + 1;
              tries.set(entry, tried);
              if (entry.fate === "good" || (entry.fate === "throttled" && tried === 3)) answers[n] = done;
              else if (entry.fate !== "lost") answers[n] = failed(entry.fate === "bad", entry.fate);
            }
            return answers;
          },
        });
        const told = await Promise.all(
          callers.map((fates) => {
            const results = createResults(fates.length);
            for (const [index, each] of fates.entries()) batcher.put({ fate: each }, index, results);
            return results.all;
          }),
        );
        const meant = { good: "done", throttled: "done", bad: "failed", lost: "failed" } as const;
        expect(told.map((results) => results.map(({ kind }) => kind))).toEqual(
          callers.map((fates) => fates.map((each) => meant[each])),
        );
        const most = { good: 1, bad: 1, throttled: 3, lost: 4 };
        expect([...tries].filter(([entry, count]) => count !== most[entry.fate])).toEqual([]);
      }),
    );
  });
});

describe("an entry that failed", () => {
  test("is tried again alone, after a pause, and the others are not", async () => {
    const batching = startBatching();
    const results = ["a", "b", "c"].map(batching.put);
    await until(batching, 1);
    batching.calls[0]?.answer([done, failed(false), done]);
    expect([await results[0], await results[2]]).toEqual(["A", "C"]);

    await eventually(() => batching.clock.sleepers() === 1);
    await batching.clock.advance(49);
    expect(batching.calls.length).toBe(1);
    await batching.clock.advance(1);
    expect(batching.calls.map(({ entries }) => entries)).toEqual([["a", "b", "c"], ["b"]]);
    batching.calls[1]?.answer();
    expect(await results[1]).toBe("B");
  });

  test("through its sender's fault is not tried again", async () => {
    const batching = startBatching();
    const [bad, good] = ["a", "b"].map(batching.put);
    await until(batching, 1);
    batching.calls[0]?.answer([failed(true, "too long"), done]);
    await expect(bad).rejects.toEqual(new TaskError("unavailable", "too long"));
    expect(await good).toBe("B");
    expect(batching.clock.sleepers()).toBe(0);
  });

  test("four times is given up, with its last error", async () => {
    const batching = startBatching();
    const result = batching.put("a");
    for (const tries of [1, 2, 3, 4]) {
      await until(batching, tries);
      batching.calls[tries - 1]?.answer([failed(false, `busy ${tries}`)]);
      if (tries === 4) break;
      await eventually(() => batching.clock.sleepers() === 1);
      await batching.clock.advance(50);
    }
    await expect(result).rejects.toEqual(new TaskError("unavailable", "busy 4"));
    expect([batching.calls.length, batching.clock.sleepers()]).toEqual([4, 0]);
  });

  test("because the broker said nothing of it is tried again", async () => {
    const batching = startBatching();
    const results = ["a", "b"].map(batching.put);
    await until(batching, 1);
    batching.calls[0]?.answer([done]);
    await eventually(() => batching.clock.sleepers() === 1);
    await batching.clock.advance(50);
    expect(batching.calls[1]?.entries).toEqual(["b"]);
    batching.calls[1]?.answer();
    expect(await Promise.all(results)).toEqual(["A", "B"]);
  });

  test("holds up none that come while it pauses", async () => {
    const batching = startBatching();
    const paused = batching.put("a");
    await until(batching, 1);
    batching.calls[0]?.answer([failed(false)]);
    await eventually(() => batching.clock.sleepers() === 1);
    const later = batching.put("b");
    await until(batching, 2);
    batching.calls[1]?.answer();
    expect(await later).toBe("B");
    await batching.clock.advance(50);
    batching.calls[2]?.answer();
    expect(await paused).toBe("A");
  });
});

describe("a call that fails as a whole", () => {
  test("rejects every entry of its batch at once, and no other", async () => {
    const batching = startBatching();
    const settled = Promise.allSettled(names(11).map(batching.put));
    await until(batching, 2);
    const away = new TaskError("unavailable", "the broker is away");
    batching.calls[0]?.fail(away);
    batching.calls[1]?.answer();
    expect(await settled).toEqual([
      ...Array(10).fill({ status: "rejected", reason: away }),
      { status: "fulfilled", value: "E10" },
    ]);
    expect([batching.calls.length, batching.clock.sleepers()]).toEqual([2, 0]);
  });

  test("makes room for the next", async () => {
    const batching = startBatching();
    const first = Promise.allSettled(names(20).map(batching.put));
    await until(batching, 2);
    for (const call of batching.calls) call.fail(new Error("no route"));
    const error = toTaskError(new Error("no route"));
    expect(await first).toEqual(Array(20).fill({ status: "rejected", reason: error }));
    const next = batching.put("z");
    await until(batching, 3);
    batching.calls[2]?.answer();
    expect(await next).toBe("Z");
  });
});

test("more than 10,000 entries do not wait: the next is refused at once, until one has its result", async () => {
  const batching = startBatching();
  const waiting = names(10_000).map(batching.put);
  const full = { code: "resource_exhausted", message: "there are 10000 messages that wait for the broker already" };
  expect(await rejectionOf(batching.put("late"))).toMatchObject({ ...full, retryAfterMs: 1000 });
  await until(batching, 2);
  batching.calls[0]?.answer();
  expect(await waiting[0]).toBe("E0");
  const again = batching.put("again");
  for (let n = 1; n < 1001; n++) {
    batching.calls[n]?.answer();
    // The next call goes out when this one has come back.
    await new Promise((resolve) => setImmediate(resolve));
  }
  expect([(await Promise.all(waiting)).length, await again]).toEqual([10_000, "AGAIN"]);
});
