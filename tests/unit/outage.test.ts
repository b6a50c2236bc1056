import { expect, test } from "bun:test";
import { ROOT_CONTEXT } from "@opentelemetry/api";
import { logLevelsOf } from "../../src/settings/parsers.ts";
import { createLogger } from "../../src/telemetry/logs/log.ts";
import type { EntryResult } from "../../src/words/entry-result.ts";
import { TaskError } from "../../src/words/errors.ts";
import { Outage } from "../../src/worker/attempts/outage.ts";
import { eventually } from "../support/eventually.ts";
import { createFakeClock, type FakeClock } from "../support/fake-clock.ts";

const away = new TaskError("unavailable", "database or disk is full");

interface TestStore {
  /** Entries that are refused with this until it is undefined, and then give that they are done. */
  refusal: TaskError | undefined;
  /** Those that are refused; by default all. */
  isRefused(name: string): boolean;
  /** When each entry was in a call, after the start, by its name. */
  asked: [name: string, atMs: number][];
  call(names: readonly string[]): Promise<EntryResult<string>[]>;
}

interface Parts {
  clock: FakeClock;
  outage: Outage;
  store: TestStore;
  /** What the log was told. */
  told: string[];
}

function setUp(leaseMs = 30_000): Parts {
  const clock = createFakeClock();
  const startMs = clock.nowMs();
  const told: string[] = [];
  const log = createLogger({
    service: "worker",
    levels: logLevelsOf("info"),
    writeLine: (line) => told.push(JSON.parse(line).msg),
    otlp: undefined,
    context: ROOT_CONTEXT,
  });
  const store: TestStore = {
    refusal: undefined,
    isRefused: () => true,
    asked: [],
    call: async (names) =>
      names.map((name) => {
        store.asked.push([name, clock.nowMs() - startMs]);
        if (store.refusal && store.isRefused(name)) return { kind: "failed", error: store.refusal };
        return { kind: "done", value: `${name} done` };
      }),
  };
  return { clock, outage: new Outage({ clock, log, leaseMs }), store, told };
}

const begins = "the store takes nothing, no message is received until it does";
const ends = "nothing waits for the store any more";

/** Gives what each entry was answered, in the order of the answers. */
async function commit({ outage, store }: Parts, ...names: string[]): Promise<unknown[]> {
  const given: unknown[] = [];
  await outage.commit(names, {
    call: store.call,
    take: async (_names, results) => void given.push(...toGiven(results)),
  });
  return given;
}

async function claim({ outage, store }: Parts, names: string[], keep = async () => {}): Promise<unknown[]> {
  const given: unknown[] = [];
  const take = async (_names: unknown, results: readonly EntryResult<string>[]) => void given.push(...toGiven(results));
  await outage.claim(names, { call: store.call, keep, take });
  return given;
}

function toGiven(results: readonly EntryResult<string>[]): unknown[] {
  return results.map((result) => (result.kind === "done" ? result.value : result.error));
}

test("a store that takes calls is asked once for each batch", async () => {
  const parts = setUp();
  expect(await commit(parts, "a", "b")).toEqual(["a done", "b done"]);
  expect(await claim(parts, ["c"])).toEqual(["c done"]);
  expect([parts.store.asked.length, parts.outage.isOn(), parts.told]).toEqual([3, false, []]);
});

test("an outcome is repeated, with longer and longer pauses, until the store takes it; the log says it once", async () => {
  const parts = setUp();
  const { clock, outage, store, told } = parts;
  store.refusal = away;
  const committing = Promise.all([commit(parts, "a"), commit(parts, "b")]);
  await eventually(() => clock.sleepers() === 2);
  await clock.advance(20_000);
  expect(outage.isOn()).toBe(true);
  store.refusal = undefined;
  await clock.advance(5000);
  expect(await committing).toEqual([["a done"], ["b done"]]);
  const times = store.asked.filter(([name]) => name === "a").map(([, atMs]) => atMs);
  expect(times).toEqual([0, 250, 750, 1750, 3750, 7750, 12_750, 17_750, 22_750]);
  expect([outage.isOn(), told]).toEqual([false, [begins, ends]]);
});

test("of a batch only what was refused is repeated, and the rest does not wait for it", async () => {
  const { clock, outage, store } = setUp();
  store.refusal = away;
  store.isRefused = (name) => name.startsWith("refused");
  const given: unknown[] = [];
  const take = async (names: readonly string[], results: readonly EntryResult<string>[]) => {
    given.push([names, toGiven(results)]);
  };
  const names = ["a", "refused 1", "b", "refused 2"];
  const committing = outage.commit(names, { call: store.call, take });
  await eventually(() => clock.sleepers() === 1);
  expect(given).toEqual([
    [
      ["a", "b"],
      ["a done", "b done"],
    ],
  ]);
  store.isRefused = (name) => name === "refused 1";
  await clock.advance(250);
  expect(given.slice(1)).toEqual([[["refused 2"], ["refused 2 done"]]]);
  store.refusal = undefined;
  await clock.advance(500);
  await committing;
  expect(given.slice(2)).toEqual([[["refused 1"], ["refused 1 done"]]]);
  expect(store.asked.map(([name]) => name)).toEqual([...names, "refused 1", "refused 2", "refused 1"]);
});

test("an entry that is refused for another reason is not repeated", async () => {
  const parts = setUp();
  const { outage, store, told } = parts;
  const refusal = new TaskError("internal", "datatype mismatch");
  store.refusal = refusal;
  store.isRefused = (name) => name !== "c";
  expect(await commit(parts, "a", "c")).toEqual([refusal, "c done"]);
  expect(await claim(parts, ["b"])).toEqual([refusal]);
  expect([store.asked.length, outage.isOn(), told]).toEqual([3, false, []]);
});

test("no claim is made while an outcome waits, and its message stays hidden by pauses below the lease", async () => {
  const parts = setUp(1500);
  const { clock, store } = parts;
  store.refusal = away;
  const kept: number[] = [];
  const startMs = clock.nowMs();
  const keep = async () => void kept.push(clock.nowMs() - startMs);
  const early = claim(parts, ["early claim"], keep);
  await eventually(() => clock.sleepers() === 1);
  await clock.advance(50);
  const committing = commit(parts, "outcome");
  await eventually(() => clock.sleepers() === 2);
  await clock.advance(50);
  const late = claim(parts, ["late claim"]);
  await eventually(() => clock.sleepers() === 3);
  await clock.advance(1900);
  store.refusal = undefined;
  await clock.advance(1500);
  expect(await Promise.all([early, committing, late])).toEqual([
    ["early claim done"],
    ["outcome done"],
    ["late claim done"],
  ]);
  expect(store.asked).toEqual([
    ["early claim", 0],
    ["outcome", 50],
    ["outcome", 300],
    ["outcome", 800],
    ["outcome", 1300],
    ["outcome", 1800],
    ["outcome", 2300],
    ["late claim", 2350],
    ["early claim", 2750],
  ]);
  expect(kept).toEqual([0, 250, 750, 1250, 1750, 2250]);
});

test("a claim is given up as soon as the worker stops", async () => {
  const parts = setUp();
  const { clock, outage, store } = parts;
  store.refusal = away;
  const claiming = claim(parts, ["claim"]);
  await eventually(() => clock.sleepers() === 1);
  await clock.advance(1000);
  store.refusal = undefined;
  outage.drain();
  expect(await claiming).toMatchObject([{ code: "unavailable" }]);
  expect(store.asked.map(([, atMs]) => atMs)).toEqual([0, 250, 750]);
});

test("an outcome is given up some seconds after the worker stops, with what the store said", async () => {
  const parts = setUp();
  const { clock, outage, store } = parts;
  store.refusal = away;
  const committing = commit(parts, "outcome");
  await eventually(() => clock.sleepers() === 1);
  await clock.advance(60_000);
  const { length } = store.asked;
  outage.drain();
  // The pause is cut short, and the store asked at once.
  await eventually(() => store.asked.length === length + 1 && clock.sleepers() === 1);
  await clock.advance(4900);
  expect(outage.isOn()).toBe(true);
  await clock.advance(300);
  expect(await committing).toEqual([away]);
  expect([store.asked.length - length, outage.isOn()]).toEqual([21, false]);
});
