/**
 * Schedules on DynamoDB: an item each. Those that something is to be done about stand in a lane of the index, by the time
 * of that; the others in a second one, where only lists look. A change and the task that belongs to it are one
 * transaction.
 */

import type { Context } from "@opentelemetry/api";
import { toWellFormedJson } from "../../words/text.ts";
import type { DueSchedules, NewRun, Schedule, ScheduleStore } from "../ports/schedules.ts";
import type { Item, WriteResult } from "./calls.ts";
import { alreadyThere } from "./errors.ts";
import { toNewItem } from "./item.ts";
import { countLanes, idleScheduleLane, placeOf, scheduleLane, timeOfPlace, walkLanes } from "./lanes.ts";
import { type DynamoTable, newToken } from "./table.ts";

interface ScheduleItem {
  pk: string;
  version: number;
  /** Of the call that made the newest change: a call that is repeated because its answer was lost knows itself. */
  token: string;
  /** JSON text. */
  body: string;
  lane: string;
  place: string;
}

/** What the index knows of one. */
type Listed = Pick<ScheduleItem, "pk" | "place">;

const lanes = [scheduleLane, idleScheduleLane];
const prefix = "schedule#";

export function createScheduleOperations({ calls, ...table }: DynamoTable): ScheduleStore {
  const indexed: DynamoTable = { calls, ...table };

  const createSchedule: ScheduleStore["createSchedule"] = async (schedule, limit, context) => {
    // Two at once may both find the last place free: one more than there may be does no harm.
    if ((await countLanes(indexed, { lanes, limit })) >= limit) {
      return (await getSchedule(schedule.id, context)) ? "exists" : "full";
    }
    const item = toItem(schedule, newToken());
    const put = await calls.put({ Item: item, ConditionExpression: "attribute_not_exists(pk)" }, context);
    return isDone(put, item.token) ? "created" : "exists";
  };

  const getSchedule = async (id: string, context: Context): Promise<Schedule | undefined> => {
    const item = await calls.get({ Key: { pk: prefix + id }, ConsistentRead: true }, context);
    return item && fromItem(item);
  };

  /** There are few enough of them to look at all. */
  const listSchedules: ScheduleStore["listSchedules"] = async (after, limit, context) => {
    const listed = await walkLanes<Listed>(indexed, { lanes, limit: Number.MAX_SAFE_INTEGER }, context);
    // Between the two lanes one may be seen twice.
    const keys = [...new Set(listed.map(({ pk }) => pk))].sort().filter((pk) => pk > prefix + after);
    return (await readAll(keys.slice(0, limit), context)).sort((a, b) => (a.id < b.id ? -1 : 1));
  };

  const dueSchedules = async (limit: number, nowMs: number): Promise<DueSchedules> => {
    const listed = await walkLanes<Listed>(indexed, { lanes: [scheduleLane], limit: limit + 1 }, null);
    const seen = listed.map(({ pk, place }) => ({ pk, atMs: timeOfPlace(place) }));
    const keys = seen.filter(({ atMs }) => atMs <= nowMs).map(({ pk }) => pk);
    const schedules = keys.length === 0 ? [] : await readAll(keys.slice(0, limit), null);
    return {
      // The index may still show what was done.
      due: schedules
        .filter(({ lookAtMs }) => lookAtMs !== null && lookAtMs <= nowMs)
        .sort((a, b) => (a.lookAtMs ?? 0) - (b.lookAtMs ?? 0)),
      nextMs: seen.find(({ atMs }) => atMs > nowMs)?.atMs ?? (seen.length > limit ? await nextAfter(nowMs) : null),
    };
  };

  const nextAfter = async (nowMs: number): Promise<number | null> => {
    const walk = { lanes: [scheduleLane], from: placeOf(nowMs + 1, ""), limit: 1 };
    const [next] = await walkLanes<Listed>(indexed, walk, null);
    return next ? timeOfPlace(next.place) : null;
  };

  const readAll = async (keys: readonly string[], context: Context | null): Promise<Schedule[]> =>
    (await calls.batchGet(keys, { ConsistentRead: true }, context)).map(fromItem);

  const changeSchedule = async (now: Schedule, run: NewRun | null, context: Context) => {
    const item = toItem(now, newToken());
    const condition = {
      ConditionExpression: "#version = :isVersion",
      ExpressionAttributeNames: { "#version": "version" },
      ExpressionAttributeValues: { ":isVersion": now.version - 1 },
    };
    if (!run)
      return isDone(await calls.put({ Item: item, ...condition }, context), item.token) ? "changed" : "moved_on";
    const task = toNewItem(run.task, run.actor, newToken());
    const common = { TableName: calls.table, ReturnValuesOnConditionCheckFailure: "ALL_OLD" } as const;
    const written = await calls.transact(
      [
        { Put: { ...common, Item: item, ...condition } },
        { Put: { TableName: calls.table, Item: task, ConditionExpression: "attribute_not_exists(pk)" } },
      ],
      context,
    );
    if (written.kind === "done") return "changed";
    const [change] = written.parts;
    if (change?.isMet) throw alreadyThere("task", task.pk);
    return change?.item?.token === item.token ? "changed" : "moved_on";
  };

  const deleteSchedule = async (id: string, context: Context): Promise<boolean> => {
    const Delete = {
      TableName: calls.table,
      Key: { pk: prefix + id },
      ConditionExpression: "attribute_exists(pk)",
    };
    return (await calls.transact([{ Delete }], context)).kind === "done";
  };

  return { createSchedule, getSchedule, listSchedules, dueSchedules, changeSchedule, deleteSchedule };
}

/** Also when an earlier try of the same call has done it, and only its answer was lost. */
function isDone(written: WriteResult, token: string): boolean {
  return written.kind === "done" || written.item?.token === token;
}

function toItem(schedule: Schedule, token: string): ScheduleItem & Item {
  const { id, version, lookAtMs } = schedule;
  return {
    pk: prefix + id,
    version,
    token,
    body: JSON.stringify(schedule),
    lane: lookAtMs === null ? idleScheduleLane : scheduleLane,
    place: placeOf(lookAtMs ?? 0, id),
  };
}

/** The items of such keys are what `toItem` wrote. */
function fromItem(item: Item): Schedule {
  return JSON.parse(toWellFormedJson(String(item.body)));
}
