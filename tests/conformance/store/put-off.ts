/** Tasks whose worker has no handler for them: nothing is claimed, and they wait for another worker. */

import { describe, expect, test } from "bun:test";
import type { OpenStore } from "../../support/sqlite-store.ts";
import { entryAt, leaseMs, t0, tasksIn } from "../../support/stored-tasks.ts";

const lacking = { type: "no_handler", message: 'the worker that received the task has no handler for the type "echo"' };
const error = { type: "SmtpRefused", message: "421 try later" };

export function describePutOff(open: OpenStore): void {
  describe("a task whose worker has no handler for it", () => {
    test("is sent again after half the time that it has waited, costs no attempt, and says why it waits", async () => {
      await using place = await open();
      const tasks = tasksIn(place.store);
      const { id } = await tasks.create();
      const pauses: number[] = [];
      for (let atMs = t0; atMs < t0 + 600_000; ) {
        const put = await tasks.putOff(id, atMs);
        if (put.kind !== "put_off") throw new Error(`expected put_off: ${put.kind}`);
        expect(await tasks.due(put.untilMs - 1)).toEqual([]);
        expect(await tasks.due(put.untilMs)).toEqual([id]);
        pauses.push(put.untilMs - atMs);
        atMs = put.untilMs;
      }
      expect(pauses.slice(0, 5)).toEqual([1000, 1000, 1000, 1500, 2250]);
      expect(Math.max(...pauses)).toBe(60_000);
      expect(await tasks.get(id)).toMatchObject({ status: "queued", attempt: 0, error: lacking });
      expect(await tasks.timeline(id)).toEqual([entryAt(t0, { from: null, to: "queued" })]);
      const won = await tasks.win(id, t0 + 700_000, "w2");
      expect(won.task).toMatchObject({ status: "running", attempt: 1 });
    });

    test("is not forgotten for a send from before that is confirmed late", async () => {
      await using place = await open();
      const tasks = tasksIn(place.store);
      const { id } = await tasks.create();
      await tasks.putOff(id, t0);
      await tasks.markSent(id);
      expect(await tasks.due(t0 + 1000)).toEqual([id]);
    });

    test("waits as well for its retry, or when it was scheduled or left behind by the worker before", async () => {
      await using place = await open();
      const tasks = tasksIn(place.store);
      const later = { status: "scheduled", runAtMs: t0 + 1000, sendAtMs: t0 + 1000 } as const;
      const scheduled = await tasks.create(later);
      expect(await tasks.putOff(scheduled.id, t0)).toEqual({ kind: "early", untilMs: t0 + 1000 });
      expect(await tasks.putOff(scheduled.id, t0 + 1000)).toEqual({ kind: "put_off", untilMs: t0 + 2000 });
      expect((await tasks.get(scheduled.id))?.status).toBe("queued");

      const retried = await tasks.create();
      const { claim } = await tasks.win(retried.id, t0);
      const ending = { to: "retrying", runAtMs: t0 + 900, sendAtMs: t0 + 950, outcome: "failed", error } as const;
      await tasks.finish(retried.id, claim, ending, t0);
      expect(await tasks.putOff(retried.id, t0 + 900)).toEqual({ kind: "put_off", untilMs: t0 + 1900 });
      expect(await tasks.get(retried.id)).toMatchObject({ status: "retrying", attempt: 1, error: lacking });

      const left = await tasks.create();
      const lease = await tasks.win(left.id, t0);
      expect(await tasks.putOff(left.id, t0 + 5)).toEqual({ kind: "leased", untilMs: t0 + leaseMs });
      expect((await tasks.putOff(left.id, t0 + leaseMs)).kind).toBe("put_off");
      // Its worker was only slow: it may still prolong what nobody else has claimed.
      expect(await tasks.extend([{ id: left.id, claim: lease.claim }], t0 + leaseMs)).toEqual(["kept"]);
    });

    test("ends with a reason when it has waited for too long, and stays ended or canceled if it was", async () => {
      await using place = await open();
      const tasks = tasksIn(place.store);
      const { id } = await tasks.create();
      expect((await tasks.putOff(id, t0 + 59_999, 60_000)).kind).toBe("put_off");
      const failed = await tasks.putOff(id, t0 + 60_000, 60_000);
      expect(failed).toMatchObject({
        kind: "failed",
        reason: "no_handler",
        task: { status: "failed", error: lacking },
      });
      expect((await tasks.timeline(id)).at(-1)).toEqual(
        entryAt(t0 + 60_000, { from: "queued", to: "failed", durationMs: 60_000, error: lacking }),
      );
      expect(await tasks.die(id, "no_handler", t0 + 60_100)).toMatchObject({ kind: "recorded", reason: "no_handler" });
      expect(await tasks.putOff(id, t0 + 60_200)).toEqual({ kind: "ended", status: "dead" });

      const scheduled = await tasks.create({ status: "scheduled", runAtMs: t0 + 1000, sendAtMs: t0 + 1000 });
      expect((await tasks.putOff(scheduled.id, t0 + 61_000, 60_000)).kind).toBe("failed");
      expect((await tasks.timeline(scheduled.id)).map(({ to }) => to)).toEqual(["scheduled", "queued", "failed"]);

      const canceled = await tasks.create();
      await tasks.cancel(canceled.id, t0);
      expect(await tasks.putOff(canceled.id, t0)).toEqual({ kind: "ended", status: "canceled" });
      expect(await tasks.putOff("018bcfe5-6800-7000-8000-000000000000", t0)).toEqual({ kind: "unknown" });
    });
  });
}
