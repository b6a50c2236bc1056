/** The list of tasks over HTTP: what is asked for, the newest first, in pages that nothing shifts. */

import { describe, expect, test } from "bun:test";
import { newTaskId } from "../../src/words/task-id.ts";
import { eventually } from "../support/eventually.ts";
import { problemOf } from "../support/http-problem.ts";
import { sharedSystem } from "../support/shared-system.ts";
import type { HttpTask } from "../support/system.ts";

const limitMs = 60_000;
const running = sharedSystem({ retryBase: "1ms" });

function ask(query: string): Promise<Response> {
  return fetch(`${running().url}/v1/tasks${query}`);
}

async function list(query: string): Promise<{ items: HttpTask[]; next_cursor: string | null }> {
  const answer = await ask(query);
  expect([query, answer.status]).toEqual([query, 200]);
  return answer.json();
}

function idsOf(items: readonly HttpTask[]): string[] {
  return items.map(({ id }) => id);
}

/** Accepts them one after the other. */
async function accept(correlationId: string, ...bodies: object[]): Promise<string[]> {
  const ids: string[] = [];
  for (const body of bodies) ids.push((await running().accept(body, { "x-correlation-id": correlationId })).id);
  return ids;
}

const later = { type: "echo", delay: "1h" };

describe("the list of tasks", () => {
  test(
    "shows each as it is shown by itself",
    async () => {
      const correlationId = newTaskId();
      const [failed = "", done = ""] = await accept(
        correlationId,
        { type: "fail", payload: { fatal: true } },
        { type: "echo", payload: { n: [1] }, metadata: { shop: "7" } },
      );
      const tasks = [await running().task(done, "20s"), await running().task(failed, "20s")];
      expect(tasks.map(({ status }) => status)).toEqual(["succeeded", "dead"]);
      expect(await list(`?correlation_id=${correlationId}`)).toEqual({ items: tasks, next_cursor: null });
    },
    limitMs,
  );

  test(
    "is narrowed by state, type, correlation id and time, and by all of them together",
    async () => {
      const correlationId = newTaskId();
      const before = new Date(Date.now() - 1).toISOString();
      const [waiting = "", dead = "", done = "", other = ""] = await accept(
        correlationId,
        later,
        { type: "fail", payload: { fatal: true } },
        { type: "echo" },
        { type: "sleep", payload: { ms: 1 } },
      );
      for (const id of [dead, done, other]) await running().task(id, "20s");
      const after = new Date(Date.now() + 1000).toISOString();
      const mine = `?correlation_id=${correlationId}`;
      const lists: [query: string, ids: string[]][] = [
        ["", [other, done, dead, waiting]],
        ["&status=scheduled", [waiting]],
        ["&status=dead", [dead]],
        ["&status=succeeded&type=echo", [done]],
        ["&type=echo", [done, waiting]],
        ["&type=nobody-runs-this", []],
        [`&created_after=${before}&created_before=${after}`, [other, done, dead, waiting]],
        [`&created_after=${after}`, []],
        [`&created_before=${before}`, []],
        [`&created_after=${encodeURIComponent("2020-01-01T00:00:00+02:00")}&status=canceled`, []],
      ];
      for (const [query, ids] of lists) {
        const { items, next_cursor: cursor } = await list(mine + query);
        expect({ query, ids: idsOf(items), cursor }).toEqual({ query, ids, cursor: null });
      }
      expect(idsOf((await list("?status=dead&type=fail")).items)).toContain(dead);
    },
    limitMs,
  );

  test(
    "is walked in pages that tasks made meanwhile do not shift",
    async () => {
      const correlationId = newTaskId();
      const ids = (await accept(correlationId, ...Array(7).fill(later))).reverse();
      const query = `?correlation_id=${correlationId}&status=scheduled`;
      const seen: string[] = [];
      let cursor = "";
      do {
        const page = await list(`${query}&limit=3${cursor && `&cursor=${cursor}`}`);
        seen.push(...idsOf(page.items));
        await accept(correlationId, later);
        cursor = page.next_cursor ?? "";
      } while (cursor !== "");
      expect(seen).toEqual(ids);
    },
    limitMs,
  );

  test(
    "has twenty on a page unless it is said otherwise",
    async () => {
      const items = Array(21).fill(later);
      const body = JSON.stringify(items);
      const correlationId = newTaskId();
      const headers = { "x-correlation-id": correlationId };
      await fetch(`${running().url}/tasks/batch`, { method: "POST", body, headers });
      const query = `?correlation_id=${correlationId}`;
      const page = await list(query);
      expect([page.items.length, typeof page.next_cursor]).toEqual([20, "string"]);
      expect((await list(`${query}&limit=100`)).items).toHaveLength(21);
      const unversioned = await fetch(`${running().url}/tasks${query}&limit=1`);
      expect((await unversioned.json()).items).toHaveLength(1);
    },
    limitMs,
  );

  test(
    "has live states at once, and dead ones as soon as they are",
    async () => {
      const [id = ""] = await accept(newTaskId(), { type: "spin" });
      await eventually(async () => idsOf((await list("?status=running&type=spin")).items).includes(id));
      await fetch(`${running().url}/v1/tasks/${id}/cancel`, { method: "POST" });
      await eventually(async () => idsOf((await list("?status=canceled&type=spin")).items).includes(id), {
        timeoutMs: limitMs,
      });
    },
    limitMs,
  );

  test("refuses what it does not know, and cursors of other lists", async () => {
    await accept(newTaskId(), later, later);
    const { next_cursor: cursor } = await list("?status=scheduled&limit=1");
    const refusals: [query: string, detail: RegExp][] = [
      ["?status=bored", /status: "bored".*"queued"/],
      ["?status=", /status/],
      ["?type=a%20b", /type: "a b": expected 1 to 128/],
      ["?correlation_id=", /correlation_id/],
      [`?correlation_id=${"c".repeat(65)}`, /correlation_id/],
      ["?created_after=yesterday", /created_after: "yesterday": expected a time with a zone/],
      ["?created_before=2026-01-01", /created_before/],
      ["?limit=0", /limit/],
      ["?limit=101", /limit/],
      ["?limit=1.5", /limit/],
      ["?limit=many", /limit/],
      ["?sort=id", /"sort"/],
      ["?status=dead&status=queued", /more than once/],
      ["?cursor=abc", /cursor "abc" is not one that an earlier answer gave/],
      [`?cursor=${cursor}`, /cursor ".*" belongs to a list with other filters/],
      [`?status=dead&cursor=${cursor}`, /other filters: begin again without it/],
      [`?status=scheduled&cursor=${cursor}x`, /cursor/],
    ];
    for (const [query, detail] of refusals) {
      const problem = await problemOf(await ask(query));
      expect([query, problem.code, problem.detail]).toEqual([query, "invalid_argument", expect.stringMatching(detail)]);
    }
  });
});
