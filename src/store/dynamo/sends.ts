/** Sends on DynamoDB, as the sweeper makes them: what is due, what the broker may have lost; and the figures. */

import type { Context } from "@opentelemetry/api";
import { type LiveStatus, liveStatuses } from "../../words/task.ts";
import type { DueTask, PruneResult, SendStore, Sent, StoreFigures } from "../ports/sends.ts";
import type { Actor } from "../ports/tasks.ts";
import { type IndexedTask, type TaskItem, toDueTask } from "./item.ts";
import { countLanes, eachInLanes, endOf, lanesOf, standingOf, timeOfPlace, walkLanes } from "./lanes.ts";
import { changeTask, type DynamoTable, forEach, toUpdate } from "./table.ts";
import { noteOf } from "./timeline.ts";

/**
 * Of each lane so many are counted, in one read: 16,000 in all. What there is more changes no decision: what
 * was sent first is lost first, and is found first.
 */
const maxCounted = 1000;

/**
 * For the figures the tasks themselves are read, by each scrape: so many of each lane, 8,000 in all. A backlog beyond
 * that is shown as that.
 */
const maxFigured = 250;

/** When others take what was found due, it is looked for again. */
const takeRounds = 25;

export function createSendOperations(table: DynamoTable): SendStore {
  const { calls } = table;

  /** Most tasks have been claimed by then: one read finds those that still wait, and only these are written. */
  const markSent = async (sent: readonly Sent[], nowMs: number, context: Context): Promise<void> => {
    const claims = new Map<string, Set<number>>();
    for (const { id, claim } of sent) claims.set(id, (claims.get(id) ?? new Set()).add(claim));
    const projection = {
      ProjectionExpression: "pk, claim, #status",
      ExpressionAttributeNames: { "#status": "status" },
    };
    const found = await calls.batchGet([...claims.keys()], projection, context);
    // The items of tasks' ids are tasks.
    const tasks = found as unknown as Pick<TaskItem, "pk" | "claim" | "status">[];
    const waiting = tasks.filter(
      ({ pk, claim, status }) => (status === "queued" || status === "retrying") && claims.get(pk)?.has(claim),
    );
    await forEach(waiting, ({ pk, claim }) =>
      calls.update(
        toUpdate(
          pk,
          { set: { ...standingOf("sent", nowMs, pk) } },
          {
            text: "#claim = :isClaim AND #status IN (:queued, :retrying)",
            values: { ":isClaim": claim, ":queued": "queued", ":retrying": "retrying" },
          },
        ),
        context,
      ),
    );
  };

  const takeDue = async (limit: number, holdMs: number, actor: Actor): Promise<DueTask[]> => {
    const taken: DueTask[] = [];
    for (let round = 0; round < takeRounds && taken.length < limit; round++) {
      const walk = { lanes: lanesOf("due"), to: endOf(actor.atMs), limit: limit - taken.length };
      const due = await walkLanes<IndexedTask>(table, walk, null);
      const held = await forEach(due, (task) => hold(task, holdMs, actor));
      taken.push(...held.filter((task) => task !== undefined));
      if (held.every((task) => task !== undefined)) break;
    }
    return taken;
  };

  /** undefined: another sweeper has it, or it is not due any more. */
  const hold = (task: IndexedTask, holdMs: number, actor: Actor): Promise<DueTask | undefined> => {
    const isScheduled = task.status === "scheduled";
    return changeTask<DueTask | undefined>(
      calls,
      task.pk,
      {
        condition: {
          text: "#lane = :isLane AND #place = :isPlace AND #status = :isStatus",
          values: { ":isLane": task.lane, ":isPlace": task.place, ":isStatus": task.status },
        },
        change: {
          set: { ...standingOf("due", actor.atMs + holdMs, task.pk), ...(isScheduled && { status: "queued" }) },
          ...(isScheduled && { notes: [noteOf(actor, { to: "queued" })] }),
        },
        result: toDueTask,
      },
      () => ({ done: undefined }),
      null,
    );
  };

  /** DynamoDB removes what has ended by itself, by its `ttl`. */
  const prune = async (): Promise<PruneResult> => ({ pruned: 0, next: null });

  const figures = async (nowMs: number): Promise<StoreFigures> => {
    const read = (lane: string) => walkLanes<IndexedTask>(table, { lanes: [lane], limit: maxFigured }, null);
    const [live, dead] = await Promise.all([
      Promise.all(lanesOf("due", "sent").map(read)),
      walkLanes<IndexedTask>(table, { lanes: lanesOf("dead"), limit: 1 }, null),
    ]);
    const tasks = live.flat();
    const due = tasks.filter(
      ({ status, runAtMs }) => (status === "queued" || status === "retrying") && runAtMs <= nowMs,
    );
    // Oldest first, as they stand.
    const [oldestDead] = dead;
    return {
      active: countLive(tasks),
      oldestDueMs: due.length === 0 ? null : due.reduce((min, { runAtMs }) => Math.min(min, runAtMs), nowMs),
      oldestDeadMs: oldestDead ? timeOfPlace(oldestDead.place) : null,
    };
  };

  return { markSent, takeDue, prune, figures, ...createResends(table) };
}

/** Sends again what the broker may have lost. */
function createResends(table: DynamoTable): Pick<SendStore, "resendAll" | "countWaiting" | "resendWaiting"> {
  const { calls } = table;

  const resendAll = async (context: Context): Promise<void> => {
    const resend = async ({ pk }: IndexedTask): Promise<void> => {
      const item = await calls.get({ Key: { pk }, ConsistentRead: true }, context);
      const task = item as TaskItem | undefined;
      if (task?.lane !== undefined) await makeDue(task, task.leaseUntilMs ?? task.runAtMs, context);
    };
    // One lane after the other, so that not all tasks are held at once. One that has moved on and is met again is left
    // where it is.
    for (const lane of lanesOf("due", "sent")) {
      await eachInLanes<IndexedTask>(table, { lanes: [lane] }, null, (page) => forEach(page, resend));
    }
  };

  /** False when it has changed since. */
  const makeDue = async (
    { pk, lane, place }: Pick<IndexedTask, "pk"> & { lane?: string; place?: string },
    atMs: number,
    caller: Context | null,
  ): Promise<boolean> => {
    const update = toUpdate(
      pk,
      { set: { ...standingOf("due", atMs, pk) } },
      { text: "#lane = :isLane AND #place = :isPlace", values: { ":isLane": lane, ":isPlace": place } },
    );
    return (await calls.update(update, caller)).kind === "done";
  };

  const countWaiting = (sentBeforeMs: number): Promise<number> =>
    countLanes(table, { lanes: lanesOf("sent"), to: endOf(sentBeforeMs), limit: maxCounted });

  const resendWaiting = async (sentBeforeMs: number, limit: number, nowMs: number): Promise<number> => {
    const walk = { lanes: lanesOf("sent"), to: endOf(sentBeforeMs), limit };
    const waiting = await walkLanes<IndexedTask>(table, walk, null);
    const made = await forEach(waiting, (task) => makeDue(task, nowMs, null));
    return made.filter((isDue) => isDue).length;
  };

  return { resendAll, countWaiting, resendWaiting };
}

function countLive(tasks: readonly IndexedTask[]): Record<LiveStatus, number> {
  const counts: Record<LiveStatus, number> = { scheduled: 0, queued: 0, running: 0, retrying: 0, failed: 0 };
  for (const status of liveStatuses) counts[status] = tasks.filter((task) => task.status === status).length;
  return counts;
}
