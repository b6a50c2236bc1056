import { expect, test } from "bun:test";
import { ROOT_CONTEXT } from "@opentelemetry/api";
import { logLevelsOf } from "../../src/settings/parsers.ts";
import { createLogger } from "../../src/telemetry/logs/log.ts";
import { TaskError } from "../../src/words/errors.ts";
import { createOutage, type Outage } from "../../src/worker/attempts/outage.ts";
import { eventually } from "../support/eventually.ts";
import { createFakeClock, type FakeClock } from "../support/fake-clock.ts";
import { rejectionOf } from "../support/rejection.ts";

const away = new TaskError("unavailable", "database or disk is full");

interface TestStore {
  /** A call that is refused with this until it is undefined, and then gives when it was asked. */
  refusal: TaskError | undefined;
  /** When each call was made, after the start, by its name. */
  asked: [name: string, atMs: number][];
  call(name: string): () => Promise<string>;
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
    asked: [],
    call: (name) => async () => {
      store.asked.push([name, clock.nowMs() - startMs]);
      if (store.refusal) throw store.refusal;
      return `${name} done`;
    },
  };
  return { clock, outage: createOutage({ clock, log, leaseMs }), store, told };
}

const begins = "the store takes nothing, no message is received until it does";
const ends = "nothing waits for the store any more";

test("a store that takes calls is asked once for each", async () => {
  const { outage, store, told } = setUp();
  expect(await outage.commit(store.call("outcome"))).toBe("outcome done");
  expect(await outage.claim(store.call("claim"), async () => {})).toBe("claim done");
  expect([store.asked.length, outage.isOn(), told]).toEqual([2, false, []]);
});

test("an outcome is repeated, with longer and longer pauses, until the store takes it; the log tells it once", async () => {
  const { clock, outage, store, told } = setUp();
  store.refusal = away;
  const committing = Promise.all([outage.commit(store.call("a")), outage.commit(store.call("b"))]);
  await eventually(() => clock.sleepers() === 2);
  await clock.advance(20_000);
  expect(outage.isOn()).toBe(true);
  store.refusal = undefined;
  await clock.advance(5000);
  expect(await committing).toEqual(["a done", "b done"]);
  const times = store.asked.filter(([name]) => name === "a").map(([, atMs]) => atMs);
  expect(times).toEqual([0, 250, 750, 1750, 3750, 7750, 12_750, 17_750, 22_750]);
  expect([outage.isOn(), told]).toEqual([false, [begins, ends]]);
});

test("a call that is refused for another reason is not repeated", async () => {
  const { outage, store, told } = setUp();
  store.refusal = new TaskError("internal", "datatype mismatch");
  expect(await rejectionOf(outage.commit(store.call("outcome")))).toBe(store.refusal);
  expect(await rejectionOf(outage.claim(store.call("claim"), async () => {}))).toBe(store.refusal);
  expect([store.asked.length, outage.isOn(), told]).toEqual([2, false, []]);
});

test("no claim is made while an outcome waits, and its message stays hidden by pauses below the lease", async () => {
  const { clock, outage, store } = setUp(1500);
  store.refusal = away;
  const kept: number[] = [];
  const startMs = clock.nowMs();
  const keep = async () => void kept.push(clock.nowMs() - startMs);
  const early = outage.claim(store.call("early claim"), keep);
  await eventually(() => clock.sleepers() === 1);
  await clock.advance(50);
  const committing = outage.commit(store.call("outcome"));
  await eventually(() => clock.sleepers() === 2);
  await clock.advance(50);
  const late = outage.claim(store.call("late claim"), async () => {});
  await eventually(() => clock.sleepers() === 3);
  await clock.advance(1900);
  store.refusal = undefined;
  await clock.advance(1500);
  expect(await Promise.all([early, committing, late])).toEqual(["early claim done", "outcome done", "late claim done"]);
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
  const { clock, outage, store } = setUp();
  store.refusal = away;
  const claiming = rejectionOf(outage.claim(store.call("claim"), async () => {}));
  await eventually(() => clock.sleepers() === 1);
  await clock.advance(1000);
  store.refusal = undefined;
  outage.drain();
  expect(await claiming).toMatchObject({ code: "unavailable" });
  expect(store.asked.map(([, atMs]) => atMs)).toEqual([0, 250, 750]);
});

test("an outcome is given up some seconds after the worker stops, with what the store said", async () => {
  const { clock, outage, store } = setUp();
  store.refusal = away;
  const committing = rejectionOf(outage.commit(store.call("outcome")));
  await eventually(() => clock.sleepers() === 1);
  await clock.advance(60_000);
  const { length } = store.asked;
  outage.drain();
  // The pause is cut short, and the store asked at once.
  await eventually(() => store.asked.length === length + 1 && clock.sleepers() === 1);
  await clock.advance(4900);
  expect(outage.isOn()).toBe(true);
  await clock.advance(300);
  expect(await committing).toBe(away);
  expect([store.asked.length - length, outage.isOn()]).toEqual([21, false]);
});
