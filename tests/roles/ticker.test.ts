/** Tickers on one real store, as several task services have them: each tick one run, whatever comes in between. */

import { describe, expect, test } from "bun:test";
import { propagation, ROOT_CONTEXT, trace } from "@opentelemetry/api";
import { readConfig } from "../../src/config.ts";
import type { Schedule } from "../../src/store/ports/schedules.ts";
import type { Store } from "../../src/store/ports/store.ts";
import type { NewTask } from "../../src/store/ports/tasks.ts";
import { createTaskTypes } from "../../src/store/ports/types.ts";
import { createNews } from "../../src/task-service/news.ts";
import { createTicker } from "../../src/task-service/ticker.ts";
import { fromCarrier, spanContextOf } from "../../src/telemetry/context/propagation.ts";
import { startTelemetry } from "../../src/telemetry/telemetry.ts";
import { TaskError } from "../../src/words/errors.ts";
import { eventually } from "../support/eventually.ts";
import { createFakeClock, type FakeClock } from "../support/fake-clock.ts";
import { openSqliteStore } from "../support/sqlite-store.ts";
import { changed, newSchedule, schedulesIn } from "../support/stored-schedules.ts";
import { t0, tasksIn } from "../support/stored-tasks.ts";
import type { LogLine } from "../support/system.ts";
import { succeeded } from "../support/task-states.ts";
import { startTestTracing, type TestTracing } from "../support/test-tracing.ts";

const limitMs = 60_000;
const secondMs = 1000;
const rule = { kind: "every", everyMs: secondMs, anchorMs: t0 } as const;
/** Each second from `t0` on. */
const eachSecond: Partial<Schedule> = {
  timing: { rule, startAtMs: null, endAtMs: null },
  nextTickMs: t0 + secondMs,
  lookAtMs: t0 + secondMs,
};

interface RunningTicker extends AsyncDisposable, Pick<TestTracing, "spans"> {
  /** What it has made, in that order. */
  runs: NewTask[];
  lines: LogLine[];
  /** Counts by their label. */
  counted(): Promise<Record<string, number>>;
}

function startTicker(store: Store, clock: FakeClock): RunningTicker {
  const { tracer, spans } = startTestTracing();
  const lines: LogLine[] = [];
  const { config } = readConfig({ handlers: "" }, {});
  const telemetry = { ...startTelemetry("task-service", config, (line) => lines.push(JSON.parse(line))), tracer };
  const runs: NewTask[] = [];
  const types = createTaskTypes(store);
  const ticker = createTicker({
    store,
    clock,
    telemetry,
    types,
    news: createNews(telemetry, types),
    maxAttempts: 5,
    metadataAttributes: ["tenant"],
    sends: { first: async (made) => void runs.push(...made.map(({ task }) => task)) },
  });
  const over = new AbortController();
  const running = ticker.loop(over.signal);
  return {
    runs,
    lines,
    spans,
    counted: async () => {
      const family = (await telemetry.scrape()).find(({ name }) => name === "schedule_ticks");
      const entries = (family?.series ?? []).map((series) => [
        Object.fromEntries(series.labels).result,
        "value" in series ? series.value : 0,
      ]);
      return Object.fromEntries(entries);
    },
    [Symbol.asyncDispose]: async () => {
      over.abort();
      await running;
      await telemetry.stop();
    },
  };
}

/** The ticks of runs, in seconds after `t0`. */
function ticksOf(runs: readonly NewTask[]): number[] {
  return runs.map(({ metadata }) => (Date.parse(metadata.scheduled_for ?? "") - t0) / secondMs);
}

function upTo(count: number): number[] {
  return Array.from({ length: count }, (_, n) => n + 1);
}

/** Moves time on until it is so, a little each time. */
function inTime<T>(clock: FakeClock, check: () => Promise<T | false | undefined>): Promise<T> {
  return eventually(
    async () => {
      const checked = await check();
      if (checked === undefined || checked === false) await clock.advance(100);
      return checked;
    },
    { timeoutMs: limitMs / 2, intervalMs: 5 },
  );
}

describe("a ticker", () => {
  test(
    "makes the run of a tick: a task with the tick in its metadata, in a trace of its own that leads to the schedule",
    async () => {
      await using place = await openSqliteStore();
      const clock = createFakeClock(t0 + secondMs + 7);
      const origin = { ...newSchedule().origin, baggage: "team=blue" };
      const { id } = await schedulesIn(place.store).create({ ...eachSecond, origin });
      await using ticker = startTicker(place.store, clock);
      await eventually(() => ticker.runs.length === 1);
      const [run] = ticker.runs;
      if (!run) throw new Error("there is no run");
      const span = ticker.spans().find(({ name }) => name === "fire schedule");
      const scheduledFor = new Date(t0 + secondMs).toISOString();
      expect(await place.store.get(run.id, ROOT_CONTEXT)).toMatchObject({
        type: "echo",
        payload: '{"n":1}',
        status: "queued",
        maxAttempts: 5,
        metadata: { tenant: "blue", schedule_id: id, scheduled_for: scheduledFor },
        createdAtMs: t0 + secondMs + 7,
        runAtMs: t0 + secondMs + 7,
        traceId: span?.spanContext().traceId ?? "",
      });
      const began = fromCarrier(run.origin);
      expect(spanContextOf(began)).toMatchObject({
        traceId: span?.spanContext().traceId,
        spanId: span?.spanContext().spanId,
      });
      expect(propagation.getBaggage(began)?.getEntry("team")?.value).toBe("blue");
      const made = spanContextOf(fromCarrier(origin));
      expect(span?.spanContext().traceId).not.toBe(made?.traceId);
      expect(span?.parentSpanContext).toBeUndefined();
      expect(span?.links.map(({ context }) => context.spanId)).toEqual([made?.spanId ?? ""]);
      expect(span?.attributes).toEqual({
        task_id: run.id,
        task_type: "echo",
        correlation_id: run.correlationId,
        "throughline.schedule.id": id,
        "throughline.schedule.scheduled_for": scheduledFor,
        "throughline.metadata.tenant": "blue",
      });
      expect(await schedulesIn(place.store).get(id)).toMatchObject({
        fired: 1,
        lastRun: { taskId: run.id, scheduledForMs: t0 + secondMs },
        nextTickMs: t0 + 2 * secondMs,
      });
    },
    limitMs,
  );

  test(
    "of three makes each tick's run once, and what came second begins no trace and is not counted",
    async () => {
      await using place = await openSqliteStore();
      const clock = createFakeClock(t0 + 40 * secondMs);
      await schedulesIn(place.store).create({ ...eachSecond, overlap: "allow" });
      await schedulesIn(place.store).create({ ...eachSecond, id: "other", overlap: "allow" });
      await using one = startTicker(place.store, clock);
      await using two = startTicker(await place.connectOther(), clock);
      await using three = startTicker(await place.connectOther(), clock);
      const all = [one, two, three];
      const runs = () => all.flatMap((ticker) => ticker.runs);
      await inTime(clock, async () => clock.nowMs() >= t0 + 60 * secondMs);
      const schedules = schedulesIn(place.store);
      const firedOf = async (id: string) => (await schedules.get(id))?.fired;
      // Time goes on so that who came second looks again, but not as far as the next tick.
      await eventually(
        async () => {
          const isMade = (await firedOf("nightly")) === 60 && (await firedOf("other")) === 60;
          if (isMade && runs().length >= 120) return true;
          if (clock.nowMs() < t0 + 60.8 * secondMs) await clock.advance(10);
          return false;
        },
        { timeoutMs: limitMs / 2, intervalMs: 5 },
      );
      const ticks = (id: string) =>
        ticksOf(runs().filter(({ metadata }) => metadata.schedule_id === id)).sort((a, b) => a - b);
      expect(ticks("nightly")).toEqual(upTo(60));
      expect(ticks("other")).toEqual(upTo(60));
      const spans = all.flatMap((ticker) => ticker.spans().filter(({ name }) => name === "fire schedule"));
      expect(new Set(spans.map(({ attributes }) => attributes.task_id))).toEqual(new Set(runs().map(({ id }) => id)));
      const counts = await Promise.all(all.map((ticker) => ticker.counted()));
      expect(counts.reduce((sum, { fired = 0 }) => sum + fired, 0)).toBe(runs().length);
      const stored = await Promise.all(runs().map(({ id }) => place.store.get(id, ROOT_CONTEXT)));
      expect(stored.every((task) => task?.status === "queued")).toBe(true);
    },
    limitMs,
  );

  test(
    "skips ticks while the run before goes on, and says so in the schedule's own trace",
    async () => {
      await using place = await openSqliteStore();
      const [schedules, tasks] = [schedulesIn(place.store), tasksIn(place.store)];
      const clock = createFakeClock(t0 + secondMs);
      await schedules.create(eachSecond);
      await using ticker = startTicker(place.store, clock);
      await inTime(clock, async () => ((await schedules.get("nightly"))?.skipped ?? 0) >= 3);
      expect(ticksOf(ticker.runs)).toEqual([1]);
      const [run] = ticker.runs;
      const line = ticker.lines.find(({ msg }) => msg === "tick skipped, the run before it goes on");
      expect(line).toMatchObject({
        level: "info",
        schedule_id: "nightly",
        task_id: run?.id,
        scheduled_for: new Date(t0 + 2 * secondMs).toISOString(),
        trace_id: spanContextOf(fromCarrier(newSchedule().origin))?.traceId,
      });
      const { claim } = await tasks.win(run?.id ?? "", clock.nowMs());
      await tasks.finish(run?.id ?? "", claim, succeeded, clock.nowMs());
      await inTime(clock, async () => ticker.runs.length === 2);
      const { skipped = 0, fired = 0 } = (await schedules.get("nightly")) ?? {};
      // The second run is the tick after the last that was skipped, unless ticks were skipped after it, too.
      expect(ticksOf(ticker.runs)[1]).toBeGreaterThanOrEqual(5);
      expect(fired).toBe(2);
      expect((await ticker.counted()).skipped).toBe(skipped);
    },
    limitMs,
  );

  test(
    "holds one tick until the run before it has ended",
    async () => {
      await using place = await openSqliteStore();
      const [schedules, tasks] = [schedulesIn(place.store), tasksIn(place.store)];
      const clock = createFakeClock(t0 + secondMs);
      await schedules.create({ ...eachSecond, overlap: "buffer_one" });
      await using ticker = startTicker(place.store, clock);
      await inTime(clock, async () => ((await schedules.get("nightly"))?.skipped ?? 0) >= 2);
      const [run] = ticker.runs;
      const { claim } = await tasks.win(run?.id ?? "", clock.nowMs());
      await tasks.finish(run?.id ?? "", claim, succeeded, clock.nowMs());
      await inTime(clock, async () => ticker.runs.length === 2);
      expect(ticksOf(ticker.runs)).toEqual([1, 2]);
    },
    limitMs,
  );

  test(
    "tells what an outage has cost",
    async () => {
      await using place = await openSqliteStore();
      const clock = createFakeClock(t0 + 300 * secondMs);
      await schedulesIn(place.store).create({ ...eachSecond, overlap: "allow" });
      await using ticker = startTicker(place.store, clock);
      await eventually(() => ticker.runs.length === 62, { timeoutMs: limitMs / 2 });
      expect(ticksOf(ticker.runs)).toEqual(Array.from({ length: 62 }, (_, n) => 239 + n));
      expect(await ticker.counted()).toEqual({ missed: 238, fired: 62 });
      expect(ticker.lines.find(({ msg }) => msg === "ticks were missed")).toMatchObject({
        level: "warn",
        schedule_id: "nightly",
        count: 238,
        since: new Date(t0 + secondMs).toISOString(),
      });
    },
    limitMs,
  );
});

/** The same store, with something that happens once, between what is due being read and the run being made. */
function meddling(store: Store, meddle: () => Promise<unknown>): Store {
  let isDone = false;
  return {
    ...store,
    changeSchedule: async (now, run, context) => {
      if (!isDone && run) {
        isDone = true;
        await meddle();
      }
      return store.changeSchedule(now, run, context);
    },
  };
}

describe("a tick that is due", () => {
  test(
    "has no run and no trace when its schedule is deleted before that",
    async () => {
      await using place = await openSqliteStore();
      const schedules = schedulesIn(place.store);
      const clock = createFakeClock(t0 + secondMs);
      await schedules.create(eachSecond);
      let looked = 0;
      const store = meddling(place.store, () => schedules.delete("nightly"));
      const counting: Store = {
        ...store,
        dueSchedules: (limit, nowMs) => {
          looked += 1;
          return store.dueSchedules(limit, nowMs);
        },
      };
      await using ticker = startTicker(counting, clock);
      await inTime(clock, async () => looked >= 3);
      expect(ticker.runs).toEqual([]);
      expect(ticker.spans().filter(({ name }) => name === "fire schedule")).toEqual([]);
      expect(await ticker.counted()).toEqual({});
    },
    limitMs,
  );

  test(
    "is decided anew when its schedule changes before that",
    async () => {
      await using place = await openSqliteStore();
      const schedules = schedulesIn(place.store);
      const clock = createFakeClock(t0 + secondMs);
      const schedule = await schedules.create(eachSecond);
      const later = changed(schedule, {
        nextTickMs: t0 + 5 * secondMs,
        lookAtMs: t0 + 5 * secondMs,
        task: { ...schedule.task, payload: '"new"' },
      });
      await using ticker = startTicker(
        meddling(place.store, () => schedules.change(later)),
        clock,
      );
      await inTime(clock, async () => ticker.runs.length === 1);
      expect(ticksOf(ticker.runs)).toEqual([5]);
      expect(ticker.runs[0]?.payload).toBe('"new"');
    },
    limitMs,
  );

  test(
    "stays due while the store fails, and its run is made when that is over; other schedules do not wait",
    async () => {
      await using place = await openSqliteStore();
      const schedules = schedulesIn(place.store);
      const clock = createFakeClock(t0 + secondMs);
      await schedules.create(eachSecond);
      await schedules.create({ ...eachSecond, id: "other" });
      let failures = 3;
      const failing: Store = {
        ...place.store,
        changeSchedule: async (now, run, context) => {
          if (now.id === "nightly" && failures-- > 0) throw new TaskError("unavailable", "the store is away");
          return place.store.changeSchedule(now, run, context);
        },
      };
      await using ticker = startTicker(failing, clock);
      await eventually(() => ticker.runs.some(({ metadata }) => metadata.schedule_id === "other"));
      expect(failures).toBeGreaterThan(0);
      await inTime(clock, async () => ticker.runs.some(({ metadata }) => metadata.schedule_id === "nightly"));
      expect(ticksOf(ticker.runs.filter(({ metadata }) => metadata.schedule_id === "nightly"))).toEqual([1]);
      expect(ticker.lines.some(({ msg }) => msg === "a tick failed, it is tried again")).toBe(true);
    },
    limitMs,
  );

  test(
    "whose maker dies right after the commit is sent by the sweeper, from the run's own trace",
    async () => {
      await using place = await openSqliteStore();
      const clock = createFakeClock(t0 + secondMs);
      await schedulesIn(place.store).create(eachSecond);
      let runId = "";
      {
        await using ticker = startTicker(place.store, clock);
        await eventually(() => ticker.runs.length === 1);
        runId = ticker.runs[0]?.id ?? "";
      }
      const due = await tasksIn(place.store).takeDue(clock.nowMs() + 30_000);
      expect(due.map(({ id }) => id)).toEqual([runId]);
      const task = await place.store.get(runId, ROOT_CONTEXT);
      expect(trace.getSpanContext(fromCarrier(due[0]?.origin ?? {}))?.traceId).toBe(task?.traceId ?? "");
    },
    limitMs,
  );
});
