/**
 * Lists of tasks on DynamoDB: the shards of their index are read side by side, and put together up to where the first of
 * them stopped. A state stands only in the items themselves: they are read, at most so many in one step.
 */

import type { Context } from "@opentelemetry/api";
import type { Item } from "./dynamo-calls.ts";
import { namesIn } from "./dynamo-change.ts";
import { fromItem, type TaskItem } from "./dynamo-item.ts";
import { listIndex, shelves } from "./dynamo-lanes.ts";
import { withResult } from "./dynamo-parts.ts";
import type { DynamoTable } from "./dynamo-table.ts";
import { toTimeline } from "./dynamo-timeline.ts";
import type { Store } from "./store.ts";
import { idRangeOf, startPage, type TaskFilter } from "./task-list.ts";

/** Entries of each shard that one step looks at, of about 200 bytes. */
const maxLooked = 250;
/** When items have to be read for their state: fewer, of any size. */
const maxLookedForStatus = 20;

export function createListOperations(table: DynamoTable): Pick<Store, "listTasks"> {
  const { calls } = table;

  const listTasks: Store["listTasks"] = async (filter, limit, before, context) => {
    const { from, to } = idRangeOf(filter, before);
    const read = await Promise.all(shelves.map((shelf) => readShelf(shelf, filter, { from, to, limit }, context)));
    // Behind the newest id at which a shard stopped, another of its tasks may come first.
    const stops = read.map(({ stop }) => stop).filter((stop) => stop !== undefined);
    const end = stops.sort().at(-1) ?? null;
    const ids = read.flatMap((shelf) => shelf.ids).filter((id) => end === null || id >= end);
    return readPage(filter, limit, { ids: ids.sort().reverse(), end }, context);
  };

  /** `from` included, `to` not. */
  const readShelf = async (
    shelf: string,
    filter: TaskFilter,
    { from, to, limit }: { from: string; to: string; limit: number },
    context: Context,
  ): Promise<{ ids: string[]; stop: string | undefined }> => {
    if (from >= to) return { ids: [], stop: undefined };
    const fits = conditionsOf(filter);
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

  const readPage = async (
    filter: TaskFilter,
    limit: number,
    { ids, end }: { ids: string[]; end: string | null },
    context: Context,
  ) => {
    const page = startPage(filter, limit);
    const asked = filter.status ? ids : ids.slice(0, limit + 1);
    const found = await calls.batchGet(asked, { ConsistentRead: true }, context);
    const byId = new Map(found.map((item) => [String(item.pk), item]));
    for (const id of asked) {
      const item = byId.get(id);
      if (!item || item.status !== (filter.status ?? item.status)) continue;
      if (!page.add(await toListed(item, context))) return page.end(null);
    }
    return page.end(asked.length < ids.length ? (asked.at(-1) ?? null) : end);
  };

  const toListed = async (item: Item, context: Context) => {
    // The items of tasks' ids are tasks.
    const task = await withResult(calls, item as unknown as TaskItem, context);
    return { task: fromItem(task), timeline: toTimeline(task.timeline) };
  };

  return { listTasks };
}

function conditionsOf({ type, correlationId }: TaskFilter): { text: string; values: Record<string, string> } {
  const asked = Object.entries({ type, correlationId }).filter((entry): entry is [string, string] => !!entry[1]);
  return {
    text: asked.map(([name]) => `#${name} = :${name}`).join(" AND "),
    values: Object.fromEntries(asked.map(([name, value]) => [`:${name}`, value])),
  };
}
