/** What has to be sent, again or at last: taken by one sweeper at a time, and forgotten by none. */

import { describe, expect, test } from "bun:test";
import { ROOT_CONTEXT } from "@opentelemetry/api";
import type { Ending } from "../../../src/store/ports/attempts.ts";
import type { OpenStore } from "../../support/sqlite-store.ts";
import { entryAt, leaseMs, type StoredTasks, t0, tasksIn } from "../../support/stored-tasks.ts";

const error = { type: "SmtpRefused", message: "421 try later" };
const hourMs = 3_600_000;

export function describeSweep(open: OpenStore): void {
  describe("a task is due for sending", () => {
    test("from its time on, with what a send needs, the longest waiting first, and no more than asked for", async () => {
      await using place = await open();
      const tasks = tasksIn(place.store);
      const origin = { traceparent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", baggage: "tenant=blue" };
      const [third, first, second] = [
        await tasks.create({ sendAtMs: t0 + 300 }),
        await tasks.create({ sendAtMs: t0 + 100, type: "send-email", correlationId: "c-2", origin }),
        await tasks.create({ sendAtMs: t0 + 200 }),
      ];
      expect(await tasks.due(t0 + 99)).toEqual([]);
      expect(await tasks.takeDue(t0 + 100)).toEqual([
        { id: first.id, claim: 0, type: "send-email", correlationId: "c-2", origin, redrivenAtMs: null },
      ]);
      expect(await tasks.due(t0 + 300, { limit: 1 })).toEqual([second.id]);
      expect(await tasks.due(t0 + 300)).toEqual([third.id]);
    });

    test("for one sweeper at a time, and again when that one has not confirmed it", async () => {
      await using place = await open();
      const lines = [tasksIn(place.store), tasksIn(await place.connectOther())];
      const ids = new Set<string>();
      for (let n = 0; n < 30; n++) ids.add((await lines[n % 2]?.create({ sendAtMs: t0 }))?.id ?? "");
      const sweeps = Array.from({ length: 10 }, (_, n) => lines[n % 2]?.due(t0, { limit: 7, holdMs: 1000 }) ?? []);
      const taken = (await Promise.all(sweeps)).flat();
      expect([taken.length, new Set(taken)]).toEqual([30, ids]);
      expect(await lines[0]?.due(t0 + 999)).toEqual([]);
      expect(new Set(await lines[1]?.due(t0 + 1000))).toEqual(ids);
    });

    test("no more, once the broker has confirmed the send", async () => {
      await using place = await open();
      const tasks = tasksIn(place.store);
      const [sent, other] = [await tasks.create(), await tasks.create()];
      await tasks.markSent(sent.id);
      expect(await tasks.due(t0 + hourMs)).toEqual([other.id]);
    });

    test("when it was scheduled for now, and is queued from then on", async () => {
      await using place = await open();
      const tasks = tasksIn(place.store);
      const { id } = await tasks.create({ status: "scheduled", runAtMs: t0 + 1000, sendAtMs: t0 + 1000 });
      expect(await tasks.due(t0 + 999)).toEqual([]);
      expect(await tasks.due(t0 + 1200)).toEqual([id]);
      expect(await tasks.get(id)).toMatchObject({ status: "queued", attempt: 0, runAtMs: t0 + 1000 });
      expect(await tasks.timeline(id)).toEqual([
        entryAt(t0, { from: null, to: "scheduled" }),
        entryAt(t0 + 1200, { from: "scheduled", to: "queued", durationMs: 1200 }),
      ]);
    });

    test("when its worker is gone: some time after the end of the lease, however often that was extended", async () => {
      await using place = await open();
      const tasks = tasksIn(place.store);
      const { id } = await tasks.create({ sendAtMs: t0 });
      const { claim } = await tasks.win(id, t0);
      await tasks.extend([{ id, claim }], t0 + hourMs);
      expect(await tasks.due(t0 + hourMs + leaseMs - 1)).toEqual([]);
      expect(await tasks.due(t0 + 2 * hourMs)).toEqual([id]);
      expect(await tasks.claim(id, t0 + 2 * hourMs)).toMatchObject({ kind: "won", claim: 2 });
    });

    test("also when the send is confirmed only after it has begun: a crash of its worker is still found", async () => {
      await using place = await open();
      const tasks = tasksIn(place.store);
      const { id } = await tasks.create();
      await tasks.win(id, t0);
      await tasks.markSent(id);
      expect(await tasks.due(t0 + hourMs)).toEqual([id]);
    });

    const endings: [what: string, ending: Ending, dueAfterMs: number | undefined][] = [
      [
        "when its next attempt wants",
        { to: "retrying", runAtMs: t0 + 500, sendAtMs: t0 + 700, outcome: "failed", error },
        700,
      ],
      ["some time after it failed for good", { to: "failed", reason: "fatal", outcome: "failed", error }, hourMs],
      ["some time after it was interrupted", { to: "queued", error, runsAlone: false }, hourMs],
      ["never after it succeeded", { to: "succeeded", result: "1" }, undefined],
      ["never after it was canceled", { to: "canceled", outcome: "canceled", error }, undefined],
    ];

    test.each(endings)("%s, in case its message is lost", async (_, ending, ms) => {
      await using place = await open();
      const tasks = tasksIn(place.store);
      const { id } = await tasks.create();
      await finished(tasks, id, ending);
      expect(await tasks.due(t0 + Math.min(ms ?? hourMs, 10_000) - 1)).toEqual([]);
      expect(await tasks.due(t0 + (ms ?? hourMs))).toEqual(ms === undefined ? [] : [id]);
    });

    test("never when it is dead", async () => {
      await using place = await open();
      const tasks = tasksIn(place.store);
      const { id } = await tasks.create();
      await tasks.die(id, "receive_limit", t0);
      expect(await tasks.due(t0 + hourMs)).toEqual([]);
    });
  });

  describe("when the broker has lost everything", () => {
    test("each live task is due when it can run, whatever was confirmed, and no other", async () => {
      await using place = await open();
      const tasks = tasksIn(place.store);
      const make = async (changes: Parameters<StoredTasks["create"]>[0] = {}): Promise<string> =>
        (await tasks.create(changes)).id;
      const queued = await make();
      await tasks.markSent(queued);
      const scheduled = await make({ status: "scheduled", runAtMs: t0 + 2000, sendAtMs: t0 + 2000 });
      const retrying = await make();
      const late = { to: "retrying", runAtMs: t0 + 3000, sendAtMs: t0 + hourMs, outcome: "failed", error } as const;
      await finished(tasks, retrying, late);
      const failed = await make();
      await finished(tasks, failed, { to: "failed", reason: "fatal", outcome: "failed", error });
      const running = await make();
      await tasks.win(running, t0 + 10);
      const succeeded = await make();
      await finished(tasks, succeeded, { to: "succeeded", result: "1" });
      const dead = await make();
      await tasks.die(dead, "receive_limit", t0 + 10);

      await place.store.resendAll(ROOT_CONTEXT);

      const held = { holdMs: 10 * hourMs };
      expect(new Set(await tasks.due(t0 + 1999, held))).toEqual(new Set([queued, failed]));
      expect(await tasks.due(t0 + 2000, held)).toEqual([scheduled]);
      expect(await tasks.due(t0 + 3000, held)).toEqual([retrying]);
      expect(await tasks.due(t0 + 10 + leaseMs - 1, held)).toEqual([]);
      expect(await tasks.due(t0 + hourMs, held)).toEqual([running]);
    });
  });
}

async function finished(tasks: StoredTasks, id: string, ending: Ending): Promise<void> {
  const { claim } = await tasks.win(id, t0);
  await tasks.finish(id, claim, ending, t0 + 10);
}
