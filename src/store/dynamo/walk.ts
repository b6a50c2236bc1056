/** Lanes of the index, read side by side and put together in the order of time. */

import { TaskError } from "../../words/errors.ts";
import type { Caller, DynamoCalls, Item, QueryInput } from "./calls.ts";
import { namesIn } from "./change.ts";
import { laneIndex } from "./lanes.ts";

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

/** Up to `limit` of what stands in the lanes, each with what the index knows of it. */
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

/** Gives all that stands in the lanes to `take`, page by page, so that no more of it is kept than `take` keeps. */
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
    // Upkeep has no caller, and all the time that it needs.
    if (caller !== null && performance.now() - startMs > walkLimitMs) throw tooLong();
    const page = { ...queryOf(lane, walk), Limit: pageOf(walk), ...(start && { ExclusiveStartKey: start }) };
    const { items, next } = await calls.query(page, caller);
    yield items;
    start = next;
  } while (start);
}

/** Less than a gateway waits for an answer: who asked would have gone. */
const walkLimitMs = 8000;

function tooLong(): TaskError {
  const message = `there is more in the store than can be looked at within ${walkLimitMs} ms, narrow it with "since" and "until"`;
  return new TaskError("deadline_exceeded", message);
}

/** With a filter, what is looked at is more than what is found. */
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
