/** Dead letters on DynamoDB: recorded, listed, grouped, discarded; and messages that name no task. */

import type { Context } from "@opentelemetry/api";
import { deadGroupOf, errorOfDeath } from "../../words/dead-group.ts";
import type { Failure } from "../../words/errors.ts";
import { isEnded } from "../../words/task.ts";
import type {
  DeadCursor,
  DeadFilter,
  DeadGroup,
  DeadLetter,
  DeadLetterStore,
  DeadSelection,
  DeathReport,
  DeathResult,
  DiscardResult,
  UnreadableMessage,
} from "../ports/dead-letters.ts";
import type { Actor } from "../ports/tasks.ts";
import type { Caller } from "./calls.ts";
import { fromItem, type IndexedTask, type TaskItem } from "./item.ts";
import {
  eachInLanes,
  endOf,
  lanesOf,
  placeOf,
  standingOf,
  timeOfPlace,
  unreadableLane,
  type Walk,
  walkLanes,
} from "./lanes.ts";
import { type Attempt, changeTask, type Decision, type DynamoTable, isUnchanged } from "./table.ts";
import { noteOf, traceparentOf } from "./timeline.ts";

export function createDeadLetterOperations(table: DynamoTable): DeadLetterStore {
  const { calls } = table;

  const recordDead = async (report: DeathReport, context: Context): Promise<DeathResult> => {
    const { id, reason, actor } = report;
    // A worker's letter follows the failure that it wrote here.
    const usual = dying(report, { text: "#status = :failed", values: { ":failed": "failed" } });
    const decide = (task: TaskItem): Decision<DeathResult> => {
      const { status, leaseUntilMs = 0 } = task;
      // One about a live task is a copy from an earlier life.
      const isOld = status !== "failed" && reason !== "receive_limit";
      // A second copy of a long task's message is put back again and again, until the broker gives the copy up.
      const isHeld = status === "running" && leaseUntilMs > actor.atMs;
      if (isOld || isHeld || isEnded(status)) return { done: { kind: "known", status } };
      return { try: dying(report, isUnchanged(task), task) };
    };
    return (await changeTask(calls, id, usual, decide, context)) ?? { kind: "unknown" };
  };

  /** `task`: as it is, when that is known; else it has failed, with all that is to be known of why. */
  const dying = (
    { id, reason, actor }: DeathReport,
    condition: Attempt<DeathResult>["condition"],
    task?: TaskItem,
  ): Attempt<DeathResult> => ({
    condition,
    change: {
      set: {
        status: "dead",
        diedAtMs: actor.atMs,
        ttl: table.ttlOf(actor.atMs),
        ...standingOf("dead", actor.atMs, id),
      },
      // The worker's reason, written when the task failed, is more precise than the message's.
      keep: { reason, endedAtMs: actor.atMs, deadGroup: deadGroupOf(errorOfDeath(errorIn(task), reason)) },
      remove: ["leaseUntilMs"],
      // The broker gave up a task whose attempt has not reported an outcome, which is refused from now on.
      notes: [noteOf(actor, { to: "dead", ...(task?.status === "running" && { outcome: "lease_lost" as const }) })],
    },
    result: (task) => ({ kind: "recorded", task: fromItem(task), reason: task.reason ?? reason }),
  });

  const discard = async (id: string, reason: string, actor: Actor, context: Context): Promise<DiscardResult> => {
    const error = { type: "discarded", message: reason };
    const usual: Attempt<DiscardResult> = {
      condition: { text: "#status = :dead", values: { ":dead": "dead" } },
      change: {
        set: { status: "discarded", ttl: table.ttlOf(actor.atMs) },
        keep: { endedAtMs: actor.atMs },
        remove: ["lane", "place"],
        notes: [noteOf(actor, { to: "discarded", error })],
      },
      result: (task) => ({ kind: "discarded", task: fromItem(task) }),
    };
    const decide = ({ status }: TaskItem): Decision<DiscardResult> => ({ done: { kind: "moved_on", status } });
    return (await changeTask(calls, id, usual, decide, context)) ?? { kind: "unknown" };
  };

  return { recordDead, discard, ...createDeadLists(table), ...createUnreadable(table) };
}

function createDeadLists(table: DynamoTable): Pick<DeadLetterStore, "listDead" | "deadGroups"> {
  const listDead = async (
    selection: DeadSelection,
    limit: number,
    after: DeadCursor | null,
    context: Context,
  ): Promise<DeadLetter[]> => {
    const isBefore = ({ diedAtMs = 0, pk }: TaskItem): boolean =>
      !after || placeOf(diedAtMs, pk) < placeOf(after.diedAtMs, after.id);
    const dead =
      selection.kind === "ids"
        ? await readDead(table, selection.ids, context)
        : await findDead(
            table,
            // One more than asked for: the place after which it goes on is included.
            { ...upTo(deadWalk(selection), after), limit: limit + 1, isNewestFirst: true },
            context,
          );
    const newestFirst = dead.filter(isBefore).sort((a, b) => (deathPlace(a) < deathPlace(b) ? 1 : -1));
    return newestFirst.slice(0, limit).map(toLetter);
  };

  const deadGroups: DeadLetterStore["deadGroups"] = async (filter, limit, context) => {
    const { errorType: _, reason: __, ...asked } = filter;
    const groups = new Map<string, { count: number; oldest: IndexedTask; newest: IndexedTask }>();
    const count = (task: IndexedTask): void => {
      const name = `${task.deadGroup ?? ""} ${task.type}`;
      const group = groups.get(name) ?? { count: 0, oldest: task, newest: task };
      group.count += 1;
      if (task.place < group.oldest.place) group.oldest = task;
      if (task.place > group.newest.place) group.newest = task;
      groups.set(name, group);
    };
    await eachInLanes<IndexedTask>(table, deadWalk(asked), context, (page) => page.forEach(count));
    const largest = [...groups]
      .sort(([nameA, a], [nameB, b]) => b.count - a.count || lastSeen(b) - lastSeen(a) || (nameA < nameB ? -1 : 1))
      .map(([, group]) => group)
      .slice(0, limit);
    const newest = await readDead(
      table,
      largest.map((group) => group.newest.pk),
      context,
    );
    const byId = new Map(newest.map((task) => [task.pk, task]));
    return largest.flatMap(({ count, oldest, newest }): DeadGroup[] => {
      const sample = byId.get(newest.pk);
      // The index may still show one that has come back.
      if (!sample) return [];
      const { type, deadGroup: group = "" } = newest;
      const [firstSeenMs, lastSeenMs] = [timeOfPlace(oldest.place), timeOfPlace(newest.place)];
      return [{ type, group, count, firstSeenMs, lastSeenMs, sample: toLetter(sample) }];
    });
  };

  return { listDead, deadGroups };
}

function createUnreadable(table: DynamoTable): Pick<DeadLetterStore, "keepUnreadable" | "listUnreadable"> {
  const { calls } = table;

  const keepUnreadable = async (message: UnreadableMessage, context: Context): Promise<void> => {
    const { messageId, body, attributes, reason, atMs } = message;
    const Item = {
      pk: `unreadable#${messageId}`,
      lane: unreadableLane,
      place: placeOf(atMs, messageId),
      ttl: table.ttlOf(atMs),
      messageId,
      body,
      attributes: JSON.stringify(attributes),
      why: reason,
      atMs,
    };
    // Kept once: one that is there already is left as it came.
    await calls.put({ Item, ConditionExpression: "attribute_not_exists(pk)" }, context);
  };

  const listUnreadable = async (limit: number, context: Context): Promise<UnreadableMessage[]> => {
    const walk = { lanes: [unreadableLane], limit, isNewestFirst: true };
    const found = await walkLanes<{ pk: string; place: string }>(table, walk, context);
    const items = await calls.batchGet(
      found.map(({ pk }) => pk),
      { ConsistentRead: true },
      context,
    );
    // The items of such keys are what `keepUnreadable` wrote.
    const kept = items as unknown as (UnreadableMessage & { attributes: string; why: string })[];
    return kept
      .map(({ messageId, body, attributes, why, atMs }) => ({
        messageId,
        body,
        attributes: JSON.parse(attributes),
        reason: why,
        atMs,
      }))
      .sort((a, b) => b.atMs - a.atMs || (a.messageId < b.messageId ? 1 : -1));
  };

  return { keepUnreadable, listUnreadable };
}

function lastSeen({ newest }: { newest: IndexedTask }): number {
  return timeOfPlace(newest.place);
}

function errorIn(task: TaskItem | undefined): Failure | null {
  return task?.error === undefined ? null : fromItem(task).error;
}

/** The walk, ended before the place of the last one that was shown. */
function upTo(walk: Pick<Walk, "lanes" | "filter" | "from" | "to">, after: DeadCursor | null) {
  const place = after && placeOf(after.diedAtMs, after.id);
  return { ...walk, ...(place && (walk.to === undefined || place < walk.to) && { to: place }) };
}

function toLetter(task: TaskItem): DeadLetter {
  return {
    task: fromItem(task),
    reason: task.reason ?? "receive_limit",
    diedAtMs: task.diedAtMs ?? 0,
    deathTraceparent: traceparentOf(task.timeline, -1),
    group: task.deadGroup ?? "",
  };
}

function deathPlace({ diedAtMs = 0, pk }: TaskItem): string {
  return placeOf(diedAtMs, pk);
}

/** Those of the named tasks that are dead, each once. */
export async function readDead({ calls }: DynamoTable, ids: readonly string[], caller: Caller): Promise<TaskItem[]> {
  const found = await calls.batchGet([...new Set(ids)], { ConsistentRead: true }, caller);
  // The items of tasks' ids are tasks.
  return (found as unknown as TaskItem[]).filter(({ status }) => status === "dead");
}

/** The dead lanes, and what a filter asks of what stands there. */
export function deadWalk(selection: DeadFilter): Pick<Walk, "lanes" | "filter" | "from" | "to"> {
  const { type, errorType, reason, group: deadGroup, sinceMs, untilMs } = selection;
  const asked = Object.entries({ type, errorType, reason, deadGroup }).filter(([, value]) => value !== undefined);
  const within = {
    ...(sinceMs !== undefined && { from: placeOf(sinceMs, "") }),
    ...(untilMs !== undefined && { to: endOf(untilMs) }),
  };
  if (asked.length === 0) return { lanes: lanesOf("dead"), ...within };
  const text = asked.map(([name]) => `#${name} = :${name}`).join(" AND ");
  return {
    lanes: lanesOf("dead"),
    ...within,
    filter: { text, values: Object.fromEntries(asked.map(([name, value]) => [`:${name}`, value])) },
  };
}

/** What the walk finds, whole, in its order; the index may still show what has come back. */
async function findDead(table: DynamoTable, walk: Walk, caller: Caller): Promise<TaskItem[]> {
  const found = await walkLanes<IndexedTask>(table, walk, caller);
  const dead = await readDead(
    table,
    found.map(({ pk }) => pk),
    caller,
  );
  const byId = new Map(dead.map((task) => [task.pk, task]));
  return found.flatMap(({ pk }) => byId.get(pk) ?? []);
}
