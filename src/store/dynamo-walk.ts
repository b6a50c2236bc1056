/** Lanes of the index, read side by side and put together in the order of time. */

import type { Caller, Item, QueryInput } from "./dynamo-calls.ts";
import { namesIn } from "./dynamo-change.ts";
import { laneIndex } from "./dynamo-lanes.ts";
import type { DynamoTable } from "./dynamo-table.ts";

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
  table: DynamoTable,
  walk: Walk,
  caller: Caller,
): Promise<T[]> {
  const read = await Promise.all(walk.lanes.map((lane) => readLane(table, lane, walk, caller)));
  // The index has only what is written with its projection.
  const all = read.flat() as unknown as T[];
  const sign = walk.isNewestFirst ? -1 : 1;
  return all.sort((a, b) => (a.place < b.place ? -sign : sign)).slice(0, walk.limit);
}

async function readLane({ calls }: DynamoTable, lane: string, walk: Walk, caller: Caller): Promise<Item[]> {
  const found: Item[] = [];
  let start: Item | undefined;
  do {
    const page = { ...queryOf(lane, walk), Limit: pageOf(walk), ...(start && { ExclusiveStartKey: start }) };
    const { items, next } = await calls.query(page, caller);
    found.push(...items);
    start = next;
  } while (start && found.length < walk.limit);
  return found;
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
export async function countLanes(table: DynamoTable, walk: Walk): Promise<number> {
  const counts = await Promise.all(
    walk.lanes.map((lane) => table.calls.query({ ...queryOf(lane, walk), Limit: walk.limit, Select: "COUNT" }, null)),
  );
  return counts.reduce((sum, { count }) => sum + count, 0);
}
