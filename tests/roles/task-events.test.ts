/** The stream of a task's events: everything once, in order, also after a break; and nothing is left of who has gone. */

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { join } from "node:path";
import { newTaskId } from "../../src/words/task-id.ts";
import { type EventStream, openEventStream, type StreamedEvent } from "../support/event-stream.ts";
import { eventually } from "../support/eventually.ts";
import { startHttpDoor } from "../support/http-door.ts";
import { problemOf } from "../support/http-problem.ts";
import { isTaskServiceWaiting } from "../support/store-wait.ts";
import { startTestSystem, type TestFlags, type TestSystem } from "../support/system.ts";
import { type TempFolder, tempFolder } from "../support/temp-folder.ts";

const limitMs = 60_000;
const handlers = join(import.meta.dir, "../fixtures/progress-handlers");

const settings: [what: string, flags: TestFlags][] = [
  ["Connect", {}],
  ["gRPC", { rpc: "grpc" }],
];

describe.each(settings)("the events of a task, with a task service by %s", (_what, flags) => {
  let running: TestSystem;
  let folder: TempFolder;
  beforeAll(async () => {
    running = await startTestSystem({ ...flags, handlers, retryBase: "1ms" });
    folder = await tempFolder();
  }, limitMs);
  afterAll(async () => {
    await running?.[Symbol.asyncDispose]();
    await folder?.[Symbol.asyncDispose]();
  }, limitMs);

  const open = (id: string, lastEventId?: string): Promise<EventStream> =>
    openEventStream(`${running.url}/v1/tasks/${id}/events`, lastEventId);

  const timelineOf = async (id: string): Promise<object[]> =>
    (await (await fetch(`${running.url}/v1/tasks/${id}/timeline`)).json()).items;

  /** A task that goes on when told; `pass(1)` lets it take its first step. */
  const steps = async (count: number) => {
    const own = join(folder.path, newTaskId());
    const { id } = await running.accept({ type: "step", payload: { folder: own, steps: count } });
    return { id, pass: (step: number) => Bun.write(join(own, String(step)), "") };
  };

  test(
    "are its timeline, numbered, and the stream ends with it",
    async () => {
      const { id } = await running.accept({ type: "flaky", payload: { failures: 2 } });
      await using stream = await open(id);
      expect(stream.answer.headers.get("content-type")).toBe("text/event-stream");
      const { headers } = stream.answer;
      expect(headers.get("cache-control")).toBe("no-store, no-cache, no-transform");
      expect(headers.get("x-accel-buffering")).toBe("no");
      const events = await stream.rest();
      const timeline = await timelineOf(id);
      expect(events).toEqual(
        timeline.map((entry, n) => ({ id: `${n + 1}`, event: "state", data: { number: n + 1, ...entry } })),
      );
      expect(events.length).toBe(7);
    },
    limitMs,
  );

  test(
    "tell its progress, which the task shows too, and keeps",
    async () => {
      const { id, pass } = await steps(3);
      await using stream = await open(id);
      expect([await stream.next(), await stream.next()].map(stateOf)).toEqual(["queued", "running"]);
      expect(await stream.next()).toEqual({ id: "2:0.25", event: "progress", data: { progress: 0.25 } });
      expect((await running.task(id)).progress).toBe(0.25);
      await pass(1);
      expect(await stream.next()).toEqual({ id: "2:0.5", event: "progress", data: { progress: 0.5 } });
      await pass(2);
      await pass(3);
      expect(await stream.rest()).toEqual([
        { id: "2:0.75", event: "progress", data: { progress: 0.75 } },
        { id: "3:0.75", event: "state", data: expect.objectContaining({ to: "succeeded" }) },
      ]);
      expect(await running.task(id)).toMatchObject({ status: "succeeded", progress: 0.75, result: 3 });
    },
    limitMs,
  );

  test(
    "go on behind the one that was seen last, without loss or doubles, wherever the stream broke",
    async () => {
      const { id, pass } = await steps(1);
      const seen: StreamedEvent[] = [];
      const read = async (count: number): Promise<void> => {
        await using stream = await open(id, seen.at(-1)?.id);
        for (let n = 0; n < count; n++) {
          const event = await stream.next();
          if (event) seen.push(event);
        }
      };
      await read(1);
      await read(1);
      await read(1);
      await pass(1);
      await read(1);
      expect(seen.map(({ id: eventId }) => eventId)).toEqual(["1", "2", "2:0.5", "3:0.5"]);
      await using over = await open(id, "3:0.5");
      expect(over.answer.status).toBe(204);
      await using whole = await open(id);
      expect(await whole.rest()).toEqual(seen);
    },
    limitMs,
  );

  test(
    "leave nothing behind when their reader goes away",
    async () => {
      const { id } = await running.accept({ type: "echo", delay: "1h" });
      const streams = await Promise.all([open(id), open(id), open(id, "1")]);
      expect((await streams[0]?.next())?.id).toBe("1");
      await eventually(() => isTaskServiceWaiting(running.adminUrl));
      for (const stream of streams) stream.leave();
      await eventually(async () => !(await isTaskServiceWaiting(running.adminUrl)));
    },
    limitMs,
  );

  test(
    "are asked for with HEAD without being told",
    async () => {
      const { id } = await running.accept({ type: "echo", delay: "1h" });
      const answer = await fetch(`${running.url}/v1/tasks/${id}/events`, { method: "HEAD" });
      expect([answer.status, answer.headers.get("content-type")]).toEqual([200, "text/event-stream"]);
      await eventually(async () => !(await isTaskServiceWaiting(running.adminUrl)));
    },
    limitMs,
  );

  test("of a task that is not there, or behind an event that never was, are a problem", async () => {
    const { id } = await running.accept({ type: "echo", delay: "1h" });
    const refusals: [path: string, lastEventId: string | undefined, status: number, detail: RegExp][] = [
      [newTaskId(), undefined, 404, /no task/],
      ["7", undefined, 404, /no task "7"/],
      [id, "seven", 400, /"seven".*begin without it/],
      [id, "-1", 400, /Last-Event-ID/],
      [id, "1:2", 400, /Last-Event-ID/],
      [id, "1:0.5:1", 400, /Last-Event-ID/],
    ];
    for (const [path, lastEventId, status, detail] of refusals) {
      const problem = await problemOf((await open(path, lastEventId)).answer);
      expect([path, lastEventId, problem.status]).toEqual([path, lastEventId, status]);
      expect(problem.detail).toMatch(detail);
    }
  });
});

function stateOf(event: StreamedEvent | undefined): unknown {
  const data = event?.data;
  return typeof data === "object" && data !== null && "to" in data ? data.to : undefined;
}

test(
  "a gateway that stops ends its streams, and no reader holds it up",
  async () => {
    const running = await startTestSystem();
    const { id } = await running.accept({ type: "echo", delay: "1h" });
    await using stream = await openEventStream(`${running.url}/v1/tasks/${id}/events`);
    expect((await stream.next())?.id).toBe("1");
    const drained = running.system.drain();
    expect(await stream.next()).toBeUndefined();
    await drained;
    await running[Symbol.asyncDispose]();
  },
  limitMs,
);

test(
  "a stream goes on by itself when the task service was away for a while, and has missed nothing",
  async () => {
    await using running = await startTestSystem();
    await using door = startHttpDoor(running.system.addresses.task_service_url ?? "");
    await using gateway = await startTestSystem({ taskServiceUrl: door.url });
    const { id } = await running.accept({ type: "echo", delay: "1h" });
    await using stream = await openEventStream(`${gateway.url}/v1/tasks/${id}/events`);
    expect((await stream.next())?.id).toBe("1");
    const next = stream.next();
    await eventually(() => isTaskServiceWaiting(running.adminUrl));
    door.shut();
    await eventually(async () => !(await isTaskServiceWaiting(running.adminUrl)));
    await fetch(`${running.url}/v1/tasks/${id}/cancel`, { method: "POST" });
    door.open();
    expect(stateOf(await next)).toBe("canceled");
    expect(await stream.next()).toBeUndefined();
  },
  limitMs,
);
