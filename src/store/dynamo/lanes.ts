/**
 * The indexes of the DynamoDB table, what is in them, and how lanes are read. The first index has what waits: `lane` is the
 * kind of waiting and a shard of it, and `place` is a time and an id, so that a lane is in the order of time. A task is in
 * one lane at most: due for sending, sent, or dead; a task that ended otherwise is in none. The second index has every
 * task, by its id, for lists. So nothing is ever found by a scan.
 */

import { TaskError } from "../../words/errors.ts";
import { type Caller, type DynamoCalls, type Item, namesIn, type QueryInput } from "./calls.ts";

/** Its name in the table. */
export const laneIndex = "lanes";

/** The second one's name, and its key in an item: the shard. What it knows besides never changes, so it costs one write. */
export const listIndex = "list";

/**
 * Each lane takes 1,000 writes a second (a partition's limit), and a task writes up to six of them in its life: these
 * carry about 2,600 tasks a second. More can be had at any time, as long as every process reads all of them; never less.
 */
export const shardCount = 16;

/** What a task can wait for. */
export type LaneKind = "due" | "sent" | "dead";

/** Lanes of what is few: the redrives that run, messages that name no task, and schedules. */
export const redriveLane = "redrive";
export const unreadableLane = "unreadable";
/** Schedules that something is to be done about, and those that rest. */
export const scheduleLane = "schedule";
export const idleScheduleLane = "schedule-idle";

/** Where something stands in the index. */
export interface Standing {
  lane: string;
  place: string;
}

export function standingOf(kind: LaneKind, atMs: number, id: string): Standing {
  return { lane: laneOf(kind, shardOf(id)), place: placeOf(atMs, id) };
}

/** Every lane of the kinds. */
export function lanesOf(...kinds: LaneKind[]): string[] {
  return kinds.flatMap((kind) => Array.from({ length: shardCount }, (_, shard) => laneOf(kind, shard)));
}

export function placeOf(atMs: number, id: string): string {
  return `${timeOf(atMs)}#${id}`;
}

/** Sorts after every place of that millisecond, and before those of the next. */
export function endOf(atMs: number): string {
  return `${timeOf(atMs)}#~`;
}

/** Places begin with their time. */
export function timeOfPlace(place: string): number {
  return Number(place.split("#", 1)[0]);
}

/** Digits enough for any date, so that text sorts as the numbers do. */
function timeOf(ms: number): string {
  return String(Math.max(0, Math.ceil(ms))).padStart(16, "0");
}

/** The shard of the second index that the task stands in, and all of them. */
export function shelfOf(id: string): string {
  return `tasks-${shardOf(id)}`;
}

export const shelves = Array.from({ length: shardCount }, (_, shard) => `tasks-${shard}`);

function laneOf(kind: LaneKind, shard: number): string {
  return `${kind}-${shard}`;
}

/** The end of a UUIDv7 is random. */
function shardOf(id: string): number {
  return Number.parseInt(id.slice(-4), 16) % shardCount;
}

/** A table, as far as a walk needs it. */
export interface WalkedTable {
  calls: Pick<DynamoCalls, "query">;
}

export interface Walk {
  lanes: readonly string[];
  /** Places, both included. */
  from?: string;
  to?: string;
  limit: number;
  isNewestFirst?: boolean;
  /** In DynamoDB's words: `#name` and `:name`. */
  filter?: { text: string; values: Record<string, unknown> };
}

/** No place is outside of these two. */
const first = "0";
const last = "~";

/**
 * Up to `limit` of what is in the lanes, read side by side and merged in the order of time; each with the attributes that
 * the index has.
 */
export async function walkLanes<T extends { place: string }>(
  table: WalkedTable,
  walk: Walk,
  caller: Caller,
): Promise<T[]> {
  const read = await Promise.all(walk.lanes.map((lane) => readLane(table, lane, walk, caller)));
  // The index has only what is written with its projection.
  const all = read.flat() as unknown as T[];
  const sign = walk.isNewestFirst ? -1 : 1;
  return all.sort((a, b) => (a.place < b.place ? -sign : sign)).slice(0, walk.limit);
}

/** Gives everything in the lanes to `take`, page by page, so that no more of it stays in memory than `take` keeps. */
export async function eachInLanes<T>(
  table: WalkedTable,
  walk: Omit<Walk, "limit">,
  caller: Caller,
  take: (page: readonly T[]) => unknown,
): Promise<void> {
  const readAll = async (lane: string): Promise<void> => {
    // The index has only what is written with its projection.
    for await (const page of pagesOf(table, lane, { ...walk, limit: maxPage }, caller))
      await take(page as unknown as T[]);
  };
  await Promise.all(walk.lanes.map(readAll));
}

async function readLane(table: WalkedTable, lane: string, walk: Walk, caller: Caller): Promise<Item[]> {
  const found: Item[] = [];
  for await (const page of pagesOf(table, lane, walk, caller)) {
    found.push(...page);
    if (found.length >= walk.limit) break;
  }
  return found;
}

async function* pagesOf({ calls }: WalkedTable, lane: string, walk: Walk, caller: Caller): AsyncGenerator<Item[]> {
  const startMs = performance.now();
  let start: Item | undefined;
  do {
    // Upkeep has no caller, and no limit.
    if (caller !== null && performance.now() - startMs > walkLimitMs) throw tooLong();
    const page = { ...queryOf(lane, walk), Limit: pageOf(walk), ...(start && { ExclusiveStartKey: start }) };
    const { items, next } = await calls.query(page, caller);
    yield items;
    start = next;
  } while (start);
}

/** Less than a gateway waits for an answer. */
const walkLimitMs = 8000;

function tooLong(): TaskError {
  const message = `there is more in the store than can be looked at within ${walkLimitMs} ms, narrow it with "since" and "until"`;
  return new TaskError("deadline_exceeded", message);
}

/** With a filter, a page examines more than it finds. */
function pageOf({ limit, filter }: Walk): number {
  return Math.min(maxPage, filter ? maxPage : limit);
}

const maxPage = 1000;

function queryOf(lane: string, { from = first, to = last, isNewestFirst = false, filter }: Walk): QueryInput {
  const KeyConditionExpression = "#lane = :lane AND #place BETWEEN :from AND :to";
  return {
    IndexName: laneIndex,
    KeyConditionExpression,
    ScanIndexForward: !isNewestFirst,
    ...(filter && { FilterExpression: filter.text }),
    ExpressionAttributeNames: namesIn(KeyConditionExpression, filter?.text ?? ""),
    ExpressionAttributeValues: { ":lane": lane, ":from": from, ":to": to, ...filter?.values },
  };
}

/** How many stand in the lanes up to the place; of each lane only so many are counted. */
export async function countLanes(table: WalkedTable, walk: Walk): Promise<number> {
  const counts = await Promise.all(
    walk.lanes.map((lane) => table.calls.query({ ...queryOf(lane, walk), Limit: walk.limit, Select: "COUNT" }, null)),
  );
  return counts.reduce((sum, { count }) => sum + count, 0);
}
