/** An order to bring dead letters back: counted, kept, paused, stopped. */

import { describe, expect, test } from "bun:test";
import { newTaskId } from "../../../src/words/task-id.ts";
import { redrivesIn } from "../../support/redrives.ts";
import { rejectionOf } from "../../support/rejection.ts";
import type { OpenStore } from "../../support/sqlite-store.ts";
import { t0, tasksIn } from "../../support/stored-tasks.ts";
import { bring, keptOf, kill, runToDeath } from "../../support/task-states.ts";

const nowMs = t0 + 1000;

export function describeRedriveOrders(open: OpenStore): void {
  describeOrder(open);
  describeCommands(open);
}

function describeOrder(open: OpenStore): void {
  describe("the order of a redrive", () => {
    test("counts what fits and what the guard would hold, and changes nothing until it is given", async () => {
      await using place = await open();
      const [tasks, redrives] = [tasksIn(place.store), redrivesIn(place.store)];
      const [mail] = [
        (await tasks.create({ type: "mail" })).id,
        await bring(tasks, "dead"),
        await bring(tasks, "failed"),
      ];
      await runToDeath(tasks, mail, t0);
      for (const round of [1, 2, 3]) {
        await redrives.start(t0 + round, { selection: { kind: "ids", ids: [mail] } });
        expect(await redrives.run(t0 + round)).toEqual([mail]);
        await runToDeath(tasks, mail, t0 + round);
      }
      const before = [await keptOf(tasks, mail), await redrives.list()];

      expect(await redrives.count()).toEqual({ matched: 2, refused: 1 });
      expect(await redrives.count({ isForced: true })).toEqual({ matched: 2, refused: 0 });
      expect(await redrives.count({ selection: { kind: "filter", type: "mail" } })).toEqual({ matched: 1, refused: 1 });
      expect(await redrives.count({ selection: { kind: "filter", type: "none" } })).toEqual({ matched: 0, refused: 0 });
      const ids = [mail, newTaskId(), await bring(tasks, "queued")];
      expect(await redrives.count({ selection: { kind: "ids", ids } })).toEqual({ matched: 3, refused: 3 });
      const isForced = true;
      expect(await redrives.count({ selection: { kind: "ids", ids }, isForced })).toEqual({ matched: 3, refused: 2 });

      expect([await keptOf(tasks, mail), await redrives.list()]).toEqual(before);
      expect(await redrives.tryPropose(nowMs)).toEqual({ waitMs: null });
    });

    test("is kept as it was given, for every connection", async () => {
      await using place = await open();
      const redrives = redrivesIn(place.store);
      const ids = await kill(tasksIn(place.store), 3);
      const order = {
        id: newTaskId(),
        selection: { kind: "filter", type: "echo", reason: "receive_limit" },
        ratePerSecond: 2.5,
        isForced: true,
        reason: "the mail server is back, “ü”",
        payload: '{"to":"someone@else.example"}',
      } as const;
      const started = await redrives.start(nowMs, order);
      const progress = { matched: 3, moved: 0, failed: 0, createdAtMs: nowMs, endedAtMs: null };
      expect(started).toEqual({ ...order, status: "running", ...progress });
      expect(await redrivesIn(await place.connectOther()).get(order.id)).toEqual(started);
      const named = await redrives.start(nowMs, { selection: { kind: "ids", ids } });
      expect(await redrives.get(named.id)).toEqual(named);
      expect(await redrives.get(newTaskId())).toBeUndefined();
    });

    test("is given once: a second one of the same id is refused, and the first stays", async () => {
      await using place = await open();
      await bring(tasksIn(place.store), "dead");
      const redrives = redrivesIn(place.store);
      const first = await redrives.start(nowMs, { reason: "first" });
      const second = await rejectionOf(redrives.start(nowMs + 1, { id: first.id, reason: "second" }));
      expect(second).toMatchObject({ code: "internal" });
      expect(await redrives.get(first.id)).toEqual(first);
    });

    test("that nothing fits has ended as it begins", async () => {
      await using place = await open();
      const redrives = redrivesIn(place.store);
      for (const selection of [{ kind: "filter" }, { kind: "ids", ids: [] }] as const) {
        const { id, ...told } = await redrives.start(nowMs, { selection });
        expect(told).toMatchObject({ status: "completed", matched: 0, moved: 0, failed: 0, endedAtMs: nowMs });
        expect(await redrives.get(id)).toEqual({ id, ...told });
      }
      expect(await redrives.tryPropose(nowMs)).toEqual({ waitMs: null });
    });
  });
}

function describeCommands(open: OpenStore): void {
  describe("a command to a redrive", () => {
    test("pauses it and lets it go on; none is taken by one that was canceled", async () => {
      await using place = await open();
      const redrives = redrivesIn(place.store);
      const ids = await kill(tasksIn(place.store), 2);
      const started = await redrives.start(nowMs);
      const { id } = started;
      const control = redrivesIn(await place.connectOther()).control;

      const paused = { ...started, status: "paused" } as const;
      expect(await control(id, "pause", nowMs + 1)).toEqual({ redrive: paused, isTaken: true });
      expect(await redrives.get(id)).toEqual(paused);
      expect(await redrives.tryPropose(nowMs + 2)).toEqual({ waitMs: null });

      expect(await control(id, "resume", nowMs + 3)).toEqual({ redrive: started, isTaken: true });
      expect(await redrives.propose(nowMs + 3)).toMatchObject({
        redrive: started,
        candidates: ids.map((dead) => ({ id: dead })),
      });

      const canceled = { ...started, status: "canceled", endedAtMs: nowMs + 4 } as const;
      expect(await control(id, "cancel", nowMs + 4)).toEqual({ redrive: canceled, isTaken: true });
      for (const command of ["pause", "resume", "cancel"] as const) {
        expect(await control(id, command, nowMs + 5)).toEqual({ redrive: canceled, isTaken: false });
      }
      expect(await redrives.get(id)).toEqual(canceled);
      expect(await redrives.tryPropose(nowMs + 6)).toEqual({ waitMs: null });
    });

    test("is not taken by one that is completed, and has no effect where there is none", async () => {
      await using place = await open();
      const redrives = redrivesIn(place.store);
      await kill(tasksIn(place.store), 2);
      const { id } = await redrives.start(nowMs);
      await redrives.run(nowMs);
      const completed = await redrives.get(id);
      expect(completed?.status).toBe("completed");
      for (const command of ["pause", "resume", "cancel"] as const) {
        expect<unknown>(await redrives.control(id, command, nowMs)).toEqual({ redrive: completed, isTaken: false });
        expect(await redrives.control(newTaskId(), command, nowMs)).toBeUndefined();
      }
    });
  });
}
