/**
 * Tasks on DynamoDB: created, read, awaited, listed, canceled.
 *
 * Lists of a state that tasks pass through, or are dead in, are read from the lanes where such tasks are, as long as they
 * are few. All other lists come from the index of all tasks: its shards are read side by side and merged up to where the
 * first of them stopped, a bounded number in one step. The items themselves decide what matches.
 */

import type { Context } from "@opentelemetry/api";
import type { Clock } from "../../limits/clock.ts";
import { settleEach } from "../../words/entry-result.ts";
import { isEnded, type TaskRecord, type TaskStatus, type TimelineEntry } from "../../words/task.ts";
import { idRangeOf, startPage } from "../ports/pages.ts";
import {
  type Actor,
  type CancelResult,
  type CreateResult,
  type Creation,
  isNews,
  type NewTask,
  type TaskFilter,
  type TaskPage,
  type TaskStore,
} from "../ports/tasks.ts";
import { type Item, namesIn, type TransactResult } from "./calls.ts";
import { alreadyThere } from "./errors.ts";
import { fromItem, type TaskItem, toNewItem, withResult } from "./item.ts";
import { type LaneKind, laneIndex, lanesOf, listIndex, shelves } from "./lanes.ts";
import { type Attempt, changeTask, type Decision, type DynamoTable, newToken } from "./table.ts";
import { firstNumber, newestNumber, noteOf, toTimeline } from "./timeline.ts";

/** A wait looks again after this long, and half as long again each time, up to the longest. */
const firstLookMs = 20;
const lookFactor = 1.5;
const longestLookMs = 1000;

export function createTaskOperations(table: DynamoTable, clock: Clock): TaskStore {
  const { calls } = table;

  const create = async ({ task, actor, context }: Creation): Promise<CreateResult> => {
    const item = toNewItem(task, actor, newToken());
    if (task.idempotency) return createIdempotent(table, item, task.idempotency, context);
    const put = await calls.put({ Item: item, ConditionExpression: "attribute_not_exists(pk)" }, context);
    if (put.kind === "refused" && put.item?.token !== item.token) throw alreadyThere("task", task.id);
    return { kind: "created" };
  };

  const readItem = async (id: string, context: Context | null, isConsistent = true): Promise<TaskItem | undefined> => {
    const item = await calls.get({ Key: { pk: id }, ConsistentRead: isConsistent }, context);
    // The items of tasks' ids are tasks.
    return item as TaskItem | undefined;
  };

  const get = async (id: string, context: Context): Promise<TaskRecord | undefined> => {
    const item = await readItem(id, context);
    return item && fromItem(await withResult(calls, item, context));
  };

  const timeline = async (id: string, context: Context): Promise<TimelineEntry[]> => {
    const input = { Key: { pk: id }, ConsistentRead: true, ProjectionExpression: "timeline" };
    const item = await calls.get(input, context);
    return toTimeline((item as Pick<TaskItem, "timeline"> | undefined)?.timeline ?? []);
  };

  /** Its own process learns of the end as every other does: by looking. Only the first look has a span. */
  const awaitItem = async (
    id: string,
    isAwaited: (item: TaskItem) => boolean,
    waitMs: number,
    context: Context,
    over: AbortSignal | undefined,
  ): Promise<TaskItem | undefined> => {
    const untilMs = performance.now() + waitMs;
    let item = await readItem(id, context);
    for (let pauseMs = firstLookMs; item && !isAwaited(item); pauseMs *= lookFactor) {
      const leftMs = untilMs - performance.now();
      if (leftMs <= 0 || over?.aborted) break;
      await clock.sleep(Math.min(leftMs, pauseMs, longestLookMs), over);
      // What an older copy says is made good by the next look.
      item = (await readItem(id, null, false)) ?? item;
    }
    return item && withResult(calls, item, context);
  };

  const awaitEnd: TaskStore["awaitEnd"] = async (id, waitMs, context, over) => {
    const item = await awaitItem(id, ({ status }) => isEnded(status), waitMs, context, over);
    return item && fromItem(item);
  };

  const awaitChange: TaskStore["awaitChange"] = async (id, seen, waitMs, context, over) => {
    const hasNews = (item: TaskItem): boolean =>
      isNews(seen, newestNumber(item.timeline), { status: item.status, progress: item.progress ?? null });
    const item = await awaitItem(id, hasNews, waitMs, context, over);
    return (
      item && {
        task: fromItem(item),
        timeline: toTimeline(item.timeline),
        firstNumber: firstNumber(item.timeline),
      }
    );
  };

  const cancel = async (id: string, actor: Actor, context: Context): Promise<CancelResult> => {
    const usual: Attempt<CancelResult> = {
      condition: {
        text: "#status IN (:scheduled, :queued, :retrying)",
        values: { ":scheduled": "scheduled", ":queued": "queued", ":retrying": "retrying" },
      },
      change: canceled(table, actor, false),
      result: (task) => ({ kind: "canceled", task: fromItem(task) }),
    };
    const decide = (task: TaskItem): Decision<CancelResult> => {
      const { status } = task;
      if (isEnded(status) || status === "failed") return { done: { kind: "moved_on", status } };
      if (status !== "running") return { try: usual };
      const requested: Attempt<CancelResult> = {
        condition: { text: "#status = :running", values: { ":running": "running" } },
        change: { set: { isCancelAsked: true } },
        result: (asked) => ({ kind: "requested", task: fromItem(asked) }),
      };
      return { try: requested };
    };
    return (await changeTask(calls, id, usual, decide, context)) ?? { kind: "unknown" };
  };

  return {
    create: (creations) => settleEach(creations, create),
    get,
    timeline,
    awaitEnd,
    awaitChange,
    cancel,
    listTasks: createList(table),
  };
}

/** What a cancel writes. The outcome of a running attempt is unknown: its lease ran out. */
export function canceled({ ttlOf }: DynamoTable, actor: Actor, wasRunning: boolean) {
  return {
    set: { status: "canceled", endedAtMs: actor.atMs, ttl: ttlOf(actor.atMs) },
    remove: ["leaseUntilMs", "lane", "place"],
    notes: [noteOf(actor, { to: "canceled", ...(wasRunning && { outcome: "crashed" as const }) })],
  };
}

interface KeyItem {
  pk: string;
  digest: string;
  taskId: string;
  ttl?: number;
}

/**
 * Creates the task and its idempotency key in one transaction. The key lives for the retention time from the task's
 * creation on; DynamoDB removes it some time after that, so an expired one counts as gone.
 */
async function createIdempotent(
  table: DynamoTable,
  task: TaskItem,
  { key, digest }: NonNullable<NewTask["idempotency"]>,
  context: Context,
): Promise<CreateResult> {
  const { calls } = table;
  const keyItem = { pk: `key#${key}`, digest, taskId: task.pk, ttl: table.ttlOf(task.createdAtMs) };
  const result = await calls.transact(
    [
      {
        Put: {
          TableName: calls.table,
          Item: keyItem,
          ConditionExpression: "attribute_not_exists(pk) OR #ttl < :now",
          ExpressionAttributeNames: { "#ttl": "ttl" },
          ExpressionAttributeValues: { ":now": Math.floor(task.createdAtMs / 1000) },
          ReturnValuesOnConditionCheckFailure: "ALL_OLD",
        },
      },
      { Put: { TableName: calls.table, Item: task, ConditionExpression: "attribute_not_exists(pk)" } },
    ],
    context,
  );
  if (result.kind === "done") return { kind: "created" };
  return keyedBefore(table, task, digest, result, context);
}

async function keyedBefore(
  { calls }: DynamoTable,
  task: TaskItem,
  digest: string,
  { parts }: Extract<TransactResult, { kind: "refused" }>,
  context: Context,
): Promise<CreateResult> {
  // The items of these keys are such.
  const known = parts[0]?.item as KeyItem | undefined;
  if (!known) throw alreadyThere("task", task.pk);
  if (known.digest !== digest) return { kind: "mismatch" };
  const found = await calls.get({ Key: { pk: known.taskId }, ConsistentRead: true }, context);
  if (!found) return { kind: "mismatch" };
  return { kind: "replayed", task: fromItem(await withResult(calls, found as unknown as TaskItem, context)) };
}

/** Entries of each shard that one step looks at, of about 200 bytes. */
const maxLooked = 250;
/** When items have to be read for their state: fewer, of any size. */
const maxLookedForStatus = 20;
/** With more than these in one lane, all that stand there are too many to be put in order. */
const maxStanding = 1000;

/** Where tasks of the state stand, if they do. */
const lanesOfStatus: Partial<Record<TaskStatus, LaneKind[]>> = {
  scheduled: ["due"],
  queued: ["due", "sent"],
  running: ["due"],
  retrying: ["due", "sent"],
  failed: ["due"],
  dead: ["dead"],
};

/** Newest first. */
interface Candidates {
  ids: string[];
  /** Behind it there may be more; null: nothing. */
  end: string | null;
}

type Range = { from: string; to: string };

function createList(table: DynamoTable): TaskStore["listTasks"] {
  const { calls } = table;

  const listTasks: TaskStore["listTasks"] = async (filter, limit, before, context) => {
    const range = idRangeOf(filter, before);
    if (range.from >= range.to) return startPage(filter, limit).end(null);
    const candidates =
      (await findInLanes(table, filter, range, context)) ?? (await walk(filter, range, limit, context));
    return readPage(filter, limit, candidates, context);
  };

  const walk = async (filter: TaskFilter, range: Range, limit: number, context: Context): Promise<Candidates> => {
    const read = await Promise.all(shelves.map((shelf) => readShelf(shelf, filter, { ...range, limit }, context)));
    // Behind the newest id at which a shard stopped, another of its tasks may come first.
    const stops = read.map(({ stop }) => stop).filter((stop) => stop !== undefined);
    const end = newestFirst(stops)[0] ?? null;
    const ids = read.flatMap((shelf) => shelf.ids).filter((id) => end === null || id >= end);
    return { ids: newestFirst(ids), end };
  };

  /** `from` included, `to` not. */
  const readShelf = async (
    shelf: string,
    filter: TaskFilter,
    { from, to, limit }: Range & { limit: number },
    context: Context,
  ): Promise<{ ids: string[]; stop: string | undefined }> => {
    const { type, correlationId } = filter;
    const fits = conditionsOf({ type, correlationId });
    const condition = "#shelf = :shelf AND #pk BETWEEN :from AND :to";
    const { items, next } = await calls.query(
      {
        IndexName: listIndex,
        KeyConditionExpression: condition,
        ...(fits.text && { FilterExpression: fits.text }),
        ExpressionAttributeNames: namesIn(condition, fits.text),
        ExpressionAttributeValues: { ":shelf": shelf, ":from": from || "0", ":to": to, ...fits.values },
        ScanIndexForward: false,
        // One more than asked for may be `to` itself.
        Limit: filter.status ? maxLookedForStatus : fits.text ? maxLooked : limit + 2,
      },
      context,
    );
    const ids = items.map(({ pk }) => String(pk)).filter((id) => id !== to);
    return { ids, stop: next && String(next.pk) };
  };

  /** Reads no more of them than it takes to fill the page. */
  const readPage = async (
    filter: TaskFilter,
    limit: number,
    { ids, end }: Candidates,
    context: Context,
  ): Promise<TaskPage> => {
    const page = startPage(filter, limit);
    for (let from = 0; from < ids.length; from += limit + 1) {
      const asked = ids.slice(from, from + limit + 1);
      const found = await calls.batchGet(asked, { ConsistentRead: true }, context);
      const byId = new Map(found.map((item) => [String(item.pk), item]));
      for (const id of asked) {
        const item = byId.get(id);
        if (!item || item.status !== (filter.status ?? item.status)) continue;
        if (!page.add(await toListed(item, context))) return page.end(null);
      }
    }
    return page.end(end);
  };

  const toListed = async (item: Item, context: Context) => {
    // The items of tasks' ids are tasks.
    const task = await withResult(calls, item as unknown as TaskItem, context);
    return { task: fromItem(task), timeline: toTimeline(task.timeline) };
  };

  return listTasks;
}

/** undefined: they stand nowhere, or there are too many. */
async function findInLanes(
  { calls }: DynamoTable,
  filter: TaskFilter,
  range: Range,
  context: Context,
): Promise<Candidates | undefined> {
  const kinds = filter.status && lanesOfStatus[filter.status];
  if (!kinds || filter.correlationId !== undefined) return undefined;
  const { status, type } = filter;
  const condition = "#lane = :lane";
  const fits = conditionsOf({ status, type });
  const read = await Promise.all(
    lanesOf(...kinds).map((lane) =>
      calls.query(
        {
          IndexName: laneIndex,
          KeyConditionExpression: condition,
          FilterExpression: fits.text,
          ExpressionAttributeNames: namesIn(condition, fits.text),
          ExpressionAttributeValues: { ":lane": lane, ...fits.values },
          Limit: maxStanding,
        },
        context,
      ),
    ),
  );
  if (read.some(({ next }) => next !== undefined)) return undefined;
  const ids = read.flatMap(({ items }) => items.map(({ pk }) => String(pk)));
  return { ids: newestFirst(ids.filter((id) => id >= range.from && id < range.to)), end: null };
}

function newestFirst(ids: string[]): string[] {
  return ids.sort().reverse();
}

function conditionsOf(asked: Record<string, string | undefined>): { text: string; values: Record<string, string> } {
  const given = Object.entries(asked).filter((entry): entry is [string, string] => entry[1] !== undefined);
  return {
    text: given.map(([name]) => `#${name} = :${name}`).join(" AND "),
    values: Object.fromEntries(given.map(([name, value]) => [`:${name}`, value])),
  };
}
