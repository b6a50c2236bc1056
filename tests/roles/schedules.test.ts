/** Schedules over HTTP on the running system: made, run, changed, paused, triggered, deleted; and what is refused. */

import { afterEach, describe, expect, test } from "bun:test";
import { join } from "node:path";
import { newTaskId } from "../../src/words/task-id.ts";
import { eventually } from "../support/eventually.ts";
import { projectFolder } from "../support/executable.ts";
import { problemOf } from "../support/http-problem.ts";
import { parsePrometheus } from "../support/metric-series.ts";
import { type HttpSchedule, type Schedules, schedulesAt } from "../support/schedules.ts";
import { sharedSystem } from "../support/shared-system.ts";
import { startTestSystem, type TestSystem } from "../support/system.ts";

const limitMs = 60_000;
const rfc3339 = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/;
const running = sharedSystem();

function parts(): { system: TestSystem; schedules: Schedules } {
  return { system: running(), schedules: schedulesAt(running().url) };
}

// The next test begins without schedules.
afterEach(() => running().write("DELETE FROM tasks_schedules"));

const daily = { cron: "0 3 * * *", task: { type: "echo" } };

interface StoredRun {
  id: string;
  scheduledForMs: number;
  status: string;
}

/** The runs of a schedule, in the order of their ticks. */
function runsOf({ rows }: TestSystem, id: string): StoredRun[] {
  return rows("SELECT id, metadata, status FROM tasks")
    .map((row) => ({ id: String(row.id), status: String(row.status), metadata: JSON.parse(String(row.metadata)) }))
    .filter(({ metadata }) => metadata.schedule_id === id)
    .map(({ id, status, metadata }) => ({ id, status, scheduledForMs: Date.parse(metadata.scheduled_for) }))
    .sort((a, b) => a.scheduledForMs - b.scheduledForMs);
}

async function ticksCounted({ adminUrl }: TestSystem, result: string): Promise<number> {
  const series = parsePrometheus(await (await fetch(`${adminUrl}/metrics`)).text());
  return series.find(({ name, labels }) => name === "schedule_ticks_total" && labels.result === result)?.value ?? 0;
}

describe("a new schedule", () => {
  test("is shown as it was asked for, with the usual where nothing was, and found again", async () => {
    const { schedules } = parts();
    const answer = await schedules.ask("POST", "", { id: "nightly", ...daily });
    expect([answer.status, answer.headers.get("location")]).toEqual([201, "/v1/schedules/nightly"]);
    const made: HttpSchedule = await answer.json();
    expect(made).toEqual({
      id: "nightly",
      cron: "0 3 * * *",
      time_zone: "UTC",
      every: null,
      task: { type: "echo", payload: null, timeout: null, max_attempts: null, metadata: {} },
      overlap: "skip",
      catch_up: 1,
      start_at: null,
      end_at: null,
      paused: false,
      created_at: made.created_at,
      updated_at: made.created_at,
      trace_id: made.trace_id,
      next_runs: made.next_runs,
      last_run: null,
      fired: 0,
      skipped: 0,
      missed: 0,
    });
    expect(made.created_at).toMatch(rfc3339);
    expect(answer.headers.get("traceresponse")).toContain(made.trace_id);
    const next = made.next_runs.map((time) => Date.parse(time));
    expect(next[0]).toBeGreaterThan(Date.parse(made.created_at));
    expect(next).toEqual(Array.from({ length: 5 }, (_, n) => (next[0] ?? 0) + n * 86_400_000));
    expect(await schedules.get("nightly")).toEqual(made);
    expect(await schedules.list()).toEqual({ items: [made], next_cursor: null });
    expect(await (await fetch(`${running().url}/schedules/nightly`)).json()).toEqual(made);
  });

  test("takes everything that may be said of it", async () => {
    const { schedules } = parts();
    const task = { type: "echo", payload: { n: [1] }, timeout: "90s", max_attempts: 3, metadata: { shop: "7" } };
    const said = {
      every: "90m",
      task,
      overlap: "buffer_one",
      catch_up: 0,
      start_at: "2100-01-01T00:00:00.000Z",
      end_at: "2100-01-01T04:30:00.000Z",
      paused: false,
    };
    const made = await schedules.create(said);
    expect(made).toMatchObject({ ...said, cron: null, time_zone: null });
    expect(made.next_runs).toEqual([
      "2100-01-01T00:00:00.000Z",
      "2100-01-01T01:30:00.000Z",
      "2100-01-01T03:00:00.000Z",
    ]);
    expect(made.id).toMatch(/^[0-9a-f-]{36}$/);
  });

  test("keeps its hour when the clocks change", async () => {
    const { schedules } = parts();
    const berlin = { ...daily, time_zone: "Europe/Berlin", start_at: "2100-03-27T00:00:00Z" };
    const { next_runs: next } = await schedules.create(berlin);
    expect(next.slice(0, 3)).toEqual([
      "2100-03-27T02:00:00.000Z",
      "2100-03-28T01:00:00.000Z",
      "2100-03-29T01:00:00.000Z",
    ]);
  });

  const task = { type: "echo" };
  const refused: [body: unknown, pointer: string, detail: string][] = [
    [{ ...daily, id: "with space" }, "/id", "1 to 64 letters"],
    [{ ...daily, id: "" }, "/id", "1 to 64 letters"],
    [{ ...daily, cron: "61 * * * *" }, "/cron", "Invalid value for minute"],
    [{ ...daily, cron: "0 0 31 2 *" }, "/cron", "it fits no time to come"],
    [{ ...daily, cron: 5 }, "/cron", "expected string"],
    [{ ...daily, time_zone: "Mars/Olympus" }, "/time_zone", "time zone of IANA"],
    [{ every: "1m", time_zone: "UTC", task }, "/time_zone", "it goes with cron only"],
    [{ every: "10ms", task }, "/every", "expected 1s to 366d"],
    [{ every: "soon", task }, "/every", "expected a duration"],
    [{ ...daily, every: "1m" }, "", "expected either cron or every"],
    [{ task }, "", "expected either cron or every"],
    [{ every: "1m" }, "/task", "expected object"],
    [{ ...daily, task: {} }, "/task/type", "expected string"],
    [{ ...daily, task: { ...task, delay: "1s" } }, "/task/delay", "unknown field"],
    [{ ...daily, task: { ...task, timeout: "0s" } }, "/task/timeout", "above 0"],
    [{ ...daily, task: { ...task, metadata: { scheduled_for: "x" } } }, "/task/metadata", "by itself"],
    [{ ...daily, overlap: "cancel" }, "/overlap", "expected one of"],
    [{ ...daily, catch_up: 101 }, "/catch_up", "<=100"],
    [{ ...daily, start_at: "tomorrow" }, "/start_at", "expected a time with a zone"],
    [{ ...daily, next_runs: [] }, "/next_runs", "unknown field"],
    [[], "", "expected object"],
  ];

  test.each(refused)("%j is refused at %p: %s", async (body, pointer, detail) => {
    const { system, schedules } = parts();
    const problem = await problemOf(await schedules.ask("POST", "", body));
    expect(problem).toMatchObject({ status: 400, code: "invalid_argument" });
    expect(problem.errors?.[0]).toMatchObject({ pointer, detail: expect.stringContaining(detail) });
    expect(system.rows("SELECT * FROM tasks_schedules")).toEqual([]);
  });

  const told: [body: object, detail: string][] = [
    [{ ...daily, task: { type: "nobody" } }, 'no worker runs tasks of type "nobody"'],
    [{ ...daily, end_at: "2020-01-01T00:00:00Z" }, "the schedule would end before it is due for the first time"],
  ];

  test.each(told)("%j is refused: %s", async (body, detail) => {
    const problem = await problemOf(await parts().schedules.ask("POST", "", body));
    expect(problem).toMatchObject({ status: 400, detail: expect.stringContaining(detail) });
  });

  test("is refused when there is one of its id, and when there are a thousand", async () => {
    const { system, schedules } = parts();
    const made = await schedules.create({ id: "nightly", ...daily });
    const again = await problemOf(await schedules.ask("POST", "", { id: "nightly", every: "1m", task }));
    expect(again).toMatchObject({ status: 409, detail: 'there is a schedule "nightly" already' });
    expect(await schedules.get("nightly")).toEqual(made);
    system.write(`INSERT INTO tasks_schedules
      WITH RECURSIVE numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < 999)
      SELECT 'copy-' || n, 1, NULL, body FROM tasks_schedules, numbers`);
    const full = await problemOf(await schedules.ask("POST", "", daily));
    expect(full).toMatchObject({ status: 429, code: "resource_exhausted", detail: expect.stringContaining("1000") });
  });
});

test(
  "a schedule whose payload its handler would not take is refused, where it is made and where it is changed",
  async () => {
    await using system = await startTestSystem({ handlers: join(projectFolder, "tests/fixtures/schema-handlers") });
    const schedules = schedulesAt(system.url);
    const [bad, good] = [
      { customer: "ada", items: [{ sku: 5 }] },
      { customer: "ada", items: [{ sku: "pen" }] },
    ];
    const refused = { status: 400, errors: [expect.objectContaining({ pointer: "/task/payload/items/0/sku" })] };
    const asked = { id: "orders", every: "1h", task: { type: "order", payload: bad } };
    expect(await problemOf(await schedules.ask("POST", "", asked))).toMatchObject(refused);
    const made = await schedules.create({ ...asked, task: { type: "order", payload: good } });
    expect(await problemOf(await schedules.ask("PATCH", "/orders", { task: asked.task }))).toMatchObject(refused);
    expect(await schedules.get("orders")).toEqual(made);
  },
  limitMs,
);

describe("schedules", () => {
  test("are listed page by page, in the order of their ids", async () => {
    const { schedules } = parts();
    for (const id of ["c", "a", "b"]) await schedules.create({ id, ...daily });
    const first = await schedules.list("?limit=2");
    expect(first.items.map(({ id }) => id)).toEqual(["a", "b"]);
    const second = await schedules.list(`?limit=2&cursor=${first.next_cursor}`);
    expect([second.items.map(({ id }) => id), second.next_cursor]).toEqual([["c"], null]);
  });

  const unknown: [method: string, path: string][] = [
    ["GET", "/nope"],
    ["PATCH", "/nope"],
    ["DELETE", "/nope"],
    ["POST", "/nope/pause"],
    ["POST", "/nope/resume"],
    ["POST", "/nope/trigger"],
    ["GET", "/%00%ff"],
    ["GET", `/${"x".repeat(500)}`],
  ];

  test.each(unknown)("%s %s of none is 404", async (method, path) => {
    const body = method === "PATCH" ? { paused: true } : undefined;
    const problem = await problemOf(await parts().schedules.ask(method, path, body));
    expect(problem).toMatchObject({ status: 404, code: "not_found" });
  });
});

describe("a schedule that is due", () => {
  test(
    "makes a run for each tick, at its nominal time, which the handler learns, in a trace of its own",
    async () => {
      const { system, schedules } = parts();
      const id = `beat-${newTaskId()}`;
      const fired = await ticksCounted(system, "fired");
      const task = { type: "echo", payload: { n: 1 } };
      const made = await schedules.create({ id, every: "1s", task, overlap: "allow" });
      const runs = await eventually(
        () => {
          const ended = runsOf(system, id).filter(({ status }) => status === "succeeded");
          return ended.length >= 3 && ended;
        },
        { timeoutMs: limitMs / 2 },
      );
      const anchorMs = Date.parse(made.created_at);
      expect(runs.slice(0, 3).map(({ scheduledForMs }) => scheduledForMs - anchorMs)).toEqual([1000, 2000, 3000]);
      const tasks = await Promise.all(runs.map((run) => system.task(run.id)));
      expect(new Set(tasks.map(({ trace_id: traceId }) => traceId)).size).toBe(runs.length);
      expect(tasks.map(({ trace_id: traceId }) => traceId)).not.toContain(made.trace_id);
      for (const { result, created_at: createdAt, metadata } of tasks) {
        expect(result).toEqual({ n: 1 });
        expect(Date.parse(createdAt)).toBeGreaterThanOrEqual(Date.parse(metadata.scheduled_for ?? ""));
      }
      const paused = await schedules.control(id, "pause");
      const all = runsOf(system, id);
      expect(paused).toMatchObject({ fired: all.length, missed: 0, next_runs: [], paused: true });
      expect(paused.last_run).toMatchObject({ task_id: all.at(-1)?.id });
      // The pause may have come before the run of a tick of the same moment.
      const ticks = Math.floor((Date.parse(paused.updated_at) - anchorMs) / 1000);
      expect(paused.fired).toBeWithin(ticks - 1, ticks + 1);
      expect(await ticksCounted(system, "fired")).toBe(fired + all.length);
      const line = system.lines.find(({ msg, task_id: task }) => msg === "task created" && task === runs[0]?.id);
      expect(line).toMatchObject({
        schedule_id: id,
        scheduled_for: new Date(runs[0]?.scheduledForMs ?? 0).toISOString(),
        trace_id: tasks[0]?.trace_id,
      });
    },
    limitMs,
  );

  test(
    "skips its ticks while a run goes on, and triggers none beside it",
    async () => {
      const { system, schedules } = parts();
      const id = `slow-${newTaskId()}`;
      await schedules.create({ id, every: "1s", task: { type: "sleep", payload: { ms: 60_000 } } });
      const going = await eventually(async () => {
        const schedule = await schedules.get(id);
        return schedule.skipped >= 2 && schedule;
      });
      expect(runsOf(system, id)).toHaveLength(1);
      const taskId = going.last_run?.task_id;
      const problem = await problemOf(await schedules.ask("POST", `/${id}/trigger`));
      expect(problem).toMatchObject({ status: 409, code: "conflict" });
      expect(problem.detail).toBe(`its run "${taskId}" is running, and the overlap policy "skip" allows one at a time`);
      await schedules.change(id, { overlap: "allow", every: "1h" });
      const beside = await schedules.trigger(id);
      expect(
        runsOf(system, id)
          .map((run) => run.id)
          .toSorted(),
      ).toEqual([taskId ?? "", beside.id].toSorted());
      for (const run of runsOf(system, id)) await fetch(`${system.url}/v1/tasks/${run.id}/cancel`, { method: "POST" });
      await schedules.delete(id);
    },
    limitMs,
  );
});

describe("a schedule that is changed", () => {
  test("has what was said replaced as a whole, what is null taken away, and the rest kept", async () => {
    const { schedules } = parts();
    const task = { type: "echo", payload: 1, metadata: { a: "1", b: "2" } };
    const limits = { start_at: "2100-01-01T00:00:00.000Z", end_at: "2101-01-01T00:00:00.000Z" };
    const made = await schedules.create({ id: "one", cron: "@daily", time_zone: "Europe/Berlin", task, ...limits });
    const other = await schedules.change("one", { task: { type: "echo", metadata: { a: "3" } } });
    expect(other).toEqual({
      ...made,
      task: { type: "echo", payload: null, timeout: null, max_attempts: null, metadata: { a: "3" } },
      updated_at: other.updated_at,
      trace_id: other.trace_id,
    });
    expect(other.trace_id).not.toBe(made.trace_id);
    const utc = await schedules.change("one", { time_zone: null, end_at: null, catch_up: 5, overlap: "allow" });
    expect(utc).toMatchObject({ cron: "@daily", time_zone: "UTC", end_at: null, catch_up: 5, overlap: "allow" });
    expect(utc.next_runs[0]).toBe("2100-01-01T00:00:00.000Z");
    const every = await schedules.change("one", { every: "36h", start_at: null, catch_up: null, overlap: null });
    expect(every).toMatchObject({ cron: null, time_zone: null, every: "36h", catch_up: 1, overlap: "skip" });
    expect(Date.parse(every.next_runs[0] ?? "") - Date.parse(every.updated_at)).toBe(36 * 3_600_000);
    const cron = await schedules.change("one", { cron: "5 4 * * *" });
    expect(cron).toMatchObject({ every: null, cron: "5 4 * * *", time_zone: "UTC" });
    expect(await schedules.get("one")).toEqual(cron);
  });

  const refused: [changes: object, detail: string][] = [
    [{}, "at least one field"],
    [{ id: "other" }, "unknown field"],
    [{ cron: "@daily", every: "1m" }, "either cron or every"],
    [{ cron: null }, "expected string"],
    [{ task: null }, "expected object"],
    [{ every: "1m", time_zone: "UTC" }, "it goes with cron only"],
    [{ cron: "0 0 31 2 *" }, "it fits no time to come"],
    [{ end_at: "2020-01-01T00:00:00Z" }, "the schedule would end before"],
    [{ task: { type: "nobody" } }, "no worker runs tasks of type"],
  ];

  test.each(refused)("by %j is refused, and stays as it was: %s", async (changes, detail) => {
    const { schedules } = parts();
    const made = await schedules.create({ id: "one", ...daily });
    const problem = await problemOf(await schedules.ask("PATCH", "/one", changes));
    expect(problem).toMatchObject({ status: 400, detail: expect.stringContaining(detail) });
    if ("end_at" in changes) expect(problem.errors?.[0]?.pointer).toBe("/end_at");
    expect(await schedules.get("one")).toEqual(made);
  });
});

describe("a schedule that is paused", () => {
  test(
    "lets its ticks pass, is triggered all the same, and goes on with the next one",
    async () => {
      const { system, schedules } = parts();
      const id = `paused-${newTaskId()}`;
      await schedules.create({ id, every: "1s", task: { type: "echo" }, overlap: "allow", paused: true });
      // Another one shows that there were ticks.
      const beside = `beside-${newTaskId()}`;
      await schedules.create({ id: beside, every: "1s", task: { type: "echo" }, overlap: "allow" });
      await eventually(() => runsOf(system, beside).length >= 3);
      expect(runsOf(system, id)).toEqual([]);
      const answer = await schedules.ask("POST", `/${id}/trigger`);
      const task = await answer.json();
      expect([answer.status, answer.headers.get("location")]).toEqual([202, `/v1/tasks/${task.id}`]);
      // Whoever asks for a run has it in the trace of the request.
      expect(answer.headers.get("traceresponse")).toContain(task.trace_id);
      expect(await schedules.get(id)).toMatchObject({ fired: 1, paused: true, last_run: { task_id: task.id } });
      const resumed = await schedules.control(id, "resume");
      expect(Date.parse(resumed.next_runs[0] ?? "")).toBeGreaterThan(Date.parse(resumed.updated_at));
      await eventually(() => runsOf(system, id).length >= 2);
      const after = runsOf(system, id).filter((run) => run.id !== task.id);
      expect(after[0]?.scheduledForMs).toBeGreaterThan(Date.parse(resumed.updated_at));
    },
    limitMs,
  );
});

test(
  "a schedule that is deleted makes no run any more, and its runs stay",
  async () => {
    const { system, schedules } = parts();
    const id = `gone-${newTaskId()}`;
    await schedules.create({ id, every: "1s", task: { type: "echo" } });
    await eventually(() => runsOf(system, id).length >= 1);
    await schedules.delete(id);
    const left = runsOf(system, id);
    const beside = `beside-${newTaskId()}`;
    await schedules.create({ id: beside, every: "1s", task: { type: "echo" } });
    await eventually(() => runsOf(system, beside).length >= 2);
    expect(runsOf(system, id).map((run) => run.id)).toEqual(left.map((run) => run.id));
    expect(await system.task(left[0]?.id ?? "", "20s")).toMatchObject({ status: "succeeded" });
    expect((await schedules.ask("DELETE", `/${id}`)).status).toBe(404);
  },
  limitMs,
);
