/** Walks through the lanes of a DynamoDB table that has more than one page of them. */

import { describe, expect, test } from "bun:test";
import type { DynamoCalls, Item } from "../../src/store/dynamo/calls.ts";
import { eachInLanes, type WalkedTable, walkLanes } from "../../src/store/dynamo/lanes.ts";

interface Placed {
  place: string;
}

/** So many items in each lane, answered page by page as the service does. `asked`: the page sizes that were asked for. */
function tableOf(counts: Record<string, number>): WalkedTable & { asked: number[] } {
  const asked: number[] = [];
  const query: DynamoCalls["query"] = async ({ ExpressionAttributeValues, ExclusiveStartKey, Limit = 1000 }) => {
    asked.push(Limit);
    const lane = String(ExpressionAttributeValues?.[":lane"]);
    const from = Number(ExclusiveStartKey?.number ?? 0);
    const to = Math.min(from + Limit, counts[lane] ?? 0);
    const items: Item[] = [];
    for (let number = from; number < to; number++) items.push({ place: `${String(number).padStart(6, "0")} ${lane}` });
    return { items, count: items.length, next: to < (counts[lane] ?? 0) ? { number: to } : undefined };
  };
  return { calls: { query }, asked };
}

describe("a walk through lanes", () => {
  test("gives all of them in pages, and holds none back", async () => {
    const table = tableOf({ a: 2500, b: 1, c: 0 });
    const pages: number[] = [];
    const seen = new Set<string>();
    await eachInLanes<Placed>(table, { lanes: ["a", "b", "c"] }, null, (page) => {
      pages.push(page.length);
      for (const { place } of page) seen.add(place);
    });
    expect(pages.sort((a, b) => a - b)).toEqual([0, 1, 500, 1000, 1000]);
    expect(seen.size).toBe(2501);
  });

  test("reads no page more than its limit needs, and gives the first of all lanes", async () => {
    const table = tableOf({ a: 2500, b: 2500 });
    const found = await walkLanes<Placed>(table, { lanes: ["a", "b"], limit: 3 }, null);
    expect(found.map(({ place }) => place)).toEqual(["000000 a", "000000 b", "000001 a"]);
    expect(table.asked).toEqual([3, 3]);
  });

  test("with a filter goes on until it has found enough", async () => {
    const table = tableOf({ a: 2500 });
    const filter = { text: "#type = :type", values: { ":type": "x" } };
    expect(await walkLanes<Placed>(table, { lanes: ["a"], limit: 1500, filter }, null)).toHaveLength(1500);
    expect(table.asked).toEqual([1000, 1000]);
  });
});
