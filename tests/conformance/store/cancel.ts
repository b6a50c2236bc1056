/** A task that its user calls off: what waits never starts, what runs has no further attempt. */

import { describe, expect, test } from "bun:test";
import { ROOT_CONTEXT } from "@opentelemetry/api";
import type { Ending } from "../../../src/store/ports/attempts.ts";
import type { TaskRecord, TaskStatus, TimelineEntry } from "../../../src/words/task.ts";
import { newTaskId } from "../../../src/words/task-id.ts";
import { redrivesIn } from "../../support/redrives.ts";
import type { OpenStore } from "../../support/sqlite-store.ts";
import { finishOne } from "../../support/store-entries.ts";
import { actorAt, entryAt, leaseMs, t0, tasksIn } from "../../support/stored-tasks.ts";
import {
  bring,
  endMs,
  failed,
  interrupted,
  keptOf,
  retrying,
  smtpError,
  startMs,
  succeeded,
} from "../../support/task-states.ts";

const hourMs = 3_600_000;
const foreverMs = 600_000;
const cancelMs = t0 + 40;

export function describeCancel(open: OpenStore): void {
  describeWaiting(open);
  describeRunning(open);

  describe("a cancel", () => {
    const over = ["failed", "succeeded", "dead", "canceled", "discarded"] as const satisfies TaskStatus[];

    test.each(over)("of a task that is %s comes too late, and writes nothing", async (status) => {
      await using place = await open();
      const tasks = tasksIn(place.store);
      const id = await bring(tasks, status);
      const before = await keptOf(tasks, id);
      expect(await tasks.cancel(id, cancelMs)).toEqual({ kind: "moved_on", status });
      expect(await keptOf(tasks, id)).toEqual(before);
    });

    test("of a task that is not there hears so", async () => {
      await using place = await open();
      expect(await tasksIn(place.store).cancel(newTaskId(), cancelMs)).toEqual({ kind: "unknown" });
    });

    test("at the same time as a claim comes before it or after it, through two connections", async () => {
      await using place = await open();
      const [here, there] = [tasksIn(place.store), tasksIn(await place.connectOther())];
      const ids = await Promise.all(Array.from({ length: 30 }, async () => (await here.create()).id));
      const pairs = ids.map((id) => Promise.all([here.claim(id, cancelMs), there.cancel(id, cancelMs)]));
      const seen = (await Promise.all(pairs)).map(([claimed, canceled]) => `${claimed.kind}, ${canceled.kind}`);
      expect(seen.filter((pair) => pair !== "won, requested" && pair !== "ended, canceled")).toEqual([]);
    });
  });
}

function describeWaiting(open: OpenStore): void {
  describe("a cancel of a task that waits", () => {
    const waiting = ["scheduled", "queued", "retrying"] as const satisfies TaskStatus[];

    test.each(waiting)("ends it at once: what was %s never starts, and is not sent", async (status) => {
      await using place = await open();
      const tasks = tasksIn(place.store);
      const id = await bring(tasks, status);
      const { task, timeline } = await keptOf(tasks, id);
      const canceled = { ...task, status: "canceled", endedAtMs: cancelMs };
      expect<unknown>(await tasks.cancel(id, cancelMs)).toEqual({ kind: "canceled", task: canceled });
      const attempt = task?.attempt ?? 0;
      const durationMs = cancelMs - (timeline.at(-1)?.atMs ?? 0);
      const kept = {
        task: canceled,
        timeline: [...timeline, entryAt(cancelMs, { from: status, to: "canceled", attempt, durationMs })],
      };
      expect<unknown>(await keptOf(tasks, id)).toEqual(kept);

      await tasks.confirm(cancelMs, { id, claim: 0 }, { id, claim: 1 });
      await place.store.resendAll(ROOT_CONTEXT);
      expect(await tasks.due(t0 + hourMs)).toEqual([]);
      expect(await tasks.claim(id, t0 + hourMs)).toEqual({ kind: "ended", status: "canceled" });
      expect<unknown>(await keptOf(tasks, id)).toEqual(kept);
    });

    test("ends a wait for it, also on another connection", async () => {
      await using place = await open();
      const [here, there] = [tasksIn(place.store), tasksIn(await place.connectOther())];
      const id = await bring(here, "queued");
      const end = place.store.awaitEnd(id, foreverMs, ROOT_CONTEXT);
      await place.store.ping();
      await there.cancel(id, cancelMs);
      expect(await end).toEqual(await there.get(id));
      expect(await end).toMatchObject({ status: "canceled" });
    });
  });
}

function describeRunning(open: OpenStore): void {
  describe("a cancel of a task that runs", () => {
    test("is a wish, told with each prolonging of the lease; the task stays its worker's", async () => {
      await using place = await open();
      const [here, there] = [tasksIn(place.store), tasksIn(await place.connectOther())];
      const id = await bring(here, "running");
      const other = await bring(here, "running");
      const before = await keptOf(here, id);
      for (const atMs of [cancelMs, cancelMs + 1]) {
        expect<unknown>(await there.cancel(id, atMs)).toEqual({ kind: "requested", task: before.task });
      }
      const leases = [id, other, newTaskId()].map((named) => ({ id: named, claim: 1 }));
      for (const atMs of [cancelMs + 2, cancelMs + 3]) {
        expect(await here.extend(leases, atMs)).toEqual(["canceled", "kept", "lost"]);
      }
      expect(await keptOf(here, id)).toEqual(before);
      expect(await there.claim(id, cancelMs + 4)).toEqual({ kind: "leased", untilMs: cancelMs + 3 + leaseMs });
      expect(await here.extend([{ id, claim: 0 }], cancelMs + 5)).toEqual(["lost"]);
    });

    const over = { endedAtMs: cancelMs + 5 };
    const canceled: Ending = { to: "canceled", outcome: "canceled", error: smtpError };
    const endings: [Ending, Partial<TaskRecord>, Partial<TimelineEntry>][] = [
      [succeeded, { status: "succeeded", result: '{"ok":true}', ...over }, { outcome: "succeeded" }],
      [failed, { status: "failed", error: smtpError, ...over }, { outcome: "failed", error: smtpError }],
      [retrying, { status: "canceled", ...over }, { outcome: "timed_out", error: smtpError }],
      [interrupted, { status: "canceled", ...over }, { outcome: "interrupted", error: smtpError }],
      [canceled, { status: "canceled", ...over }, { outcome: "canceled", error: smtpError }],
    ];

    test.each(
      endings.map(([ending, changes, entry]) => [ending.to, String(changes.status), ending, changes, entry] as const),
    )("lets an attempt that ends %s leave it %s", async (_, status, ending, changes, entry) => {
      await using place = await open();
      const tasks = tasksIn(place.store);
      const id = await bring(tasks, "running");
      const { task, timeline } = await keptOf(tasks, id);
      await tasks.cancel(id, cancelMs);
      const request = { id, claim: 1, ending, actor: actorAt(cancelMs + 5) };
      expect<unknown>(await finishOne(place.store, request, ROOT_CONTEXT)).toBe(status);
      const left = { from: "running", attempt: 1, durationMs: cancelMs + 5 - startMs, worker: "w1" } as const;
      const last = entryAt(cancelMs + 5, { ...left, to: changes.status ?? "running", ...entry });
      expect<unknown>(await keptOf(tasks, id)).toEqual({
        task: { ...task, ...changes },
        timeline: [...timeline, last],
      });
      // A failure is on its way to the dead letters; of the rest no message is needed any more.
      expect(await tasks.due(t0 + hourMs)).toEqual(status === "failed" ? [id] : []);
    });

    test("whose worker is gone takes effect with the next claim, which a sweep brings about", async () => {
      await using place = await open();
      const tasks = tasksIn(place.store);
      const id = await bring(tasks, "running");
      const { task, timeline } = await keptOf(tasks, id);
      await tasks.cancel(id, cancelMs);
      expect(await tasks.due(t0 + hourMs)).toEqual([id]);
      const lapsedMs = startMs + leaseMs;
      expect(await tasks.claim(id, lapsedMs - 1, "w2")).toEqual({ kind: "leased", untilMs: lapsedMs });
      for (const atMs of [lapsedMs, lapsedMs + 1]) {
        // Only the claim that has made the change gives the task, to tell of it.
        const changed = atMs === lapsedMs && { task: { ...task, status: "canceled", endedAtMs: lapsedMs } };
        expect<unknown>(await tasks.claim(id, atMs, "w2")).toEqual({ kind: "ended", status: "canceled", ...changed });
      }
      expect(await tasks.finish(id, 1, succeeded, lapsedMs + 2)).toBe(false);
      const ended = { from: "running", to: "canceled", attempt: 1, durationMs: leaseMs, outcome: "crashed" } as const;
      expect<unknown>(await keptOf(tasks, id)).toEqual({
        task: { ...task, status: "canceled", endedAtMs: lapsedMs },
        timeline: [...timeline, entryAt(lapsedMs, ended)],
      });
      expect(await tasks.due(t0 + 2 * hourMs)).toEqual([]);
    });

    test("is forgotten when the task is brought back from the dead letters", async () => {
      await using place = await open();
      const [tasks, redrives] = [tasksIn(place.store), redrivesIn(place.store)];
      const id = await bring(tasks, "running");
      await tasks.cancel(id, startMs + 1);
      await tasks.finish(id, 1, failed, endMs);
      await tasks.die(id, "fatal", endMs);
      await redrives.start(cancelMs);
      expect(await redrives.run(cancelMs)).toEqual([id]);
      const { claim } = await tasks.win(id, cancelMs);
      expect(await tasks.extend([{ id, claim }], cancelMs)).toEqual(["kept"]);
      await tasks.finish(id, claim, retrying, cancelMs + 1);
      expect(await tasks.get(id)).toMatchObject({ status: "retrying", attempt: 1 });
    });
  });
}
