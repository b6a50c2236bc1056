/**
 * Lists of tasks on DynamoDB. Those of a state that tasks pass through, or are dead in, are looked up where such tasks
 * stand, as long as they are few. All others come from the index of all tasks: its shards are read side by side, and put
 * together up to where the first of them stopped, at most so many in one step. The items themselves decide.
 */

import type { Context } from "@opentelemetry/api";
import type { TaskStatus } from "../../words/task.ts";
import { idRangeOf, startPage } from "../ports/pages.ts";
import type { Store } from "../ports/store.ts";
import type { TaskFilter, TaskPage } from "../ports/tasks.ts";
import type { Item } from "./calls.ts";
import { namesIn } from "./change.ts";
import { fromItem, type TaskItem } from "./item.ts";
import { type LaneKind, laneIndex, lanesOf, listIndex, shelves } from "./lanes.ts";
import { withResult } from "./parts.ts";
import type { DynamoTable } from "./table.ts";
import { toTimeline } from "./timeline.ts";

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

export function createListOperations(table: DynamoTable): Pick<Store, "listTasks"> {
  const { calls } = table;

  const listTasks: Store["listTasks"] = async (filter, limit, before, context) => {
    const range = idRangeOf(filter, before);
    if (range.from >= range.to) return startPage(filter, limit).end(null);
    const candidates = (await findStanding(filter, range, context)) ?? (await walk(filter, range, limit, context));
    return readPage(filter, limit, candidates, context);
  };

  /** undefined: they stand nowhere, or there are too many. */
  const findStanding = async (filter: TaskFilter, range: Range, context: Context): Promise<Candidates | undefined> => {
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

  return { listTasks };
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
