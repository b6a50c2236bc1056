/** What a stream tells of a task, and from where on it goes on. */

import { expect, test } from "bun:test";
import type { TaskNews } from "../../src/api/task.ts";
import { eventsOf } from "../../src/gateway/task-events.ts";

const states = ["queued", "running", "retrying", "running", "failed", "dead"] as const;
const entryOf = {
  at: "2026-01-01T00:00:00.000Z",
  attempt: 1,
  duration_ms: 0,
  error: null,
  trace_id: "",
  span_id: "",
  service: "worker",
};

/** What is there of a task that has come so far, for who has seen `entry` of it. */
function newsOf(reached: number, entry: number, progress: number | null): TaskNews {
  const entries = states.slice(0, reached).map((to, n) => ({ ...entryOf, from: states[n - 1] ?? null, to }));
  return { entries: entries.slice(entry), first_number: entry + 1, progress, has_ended: false };
}

test.each<[what: string, reached: number, progress: number | undefined, seen: [number, number | null], ids: string]>([
  ["a new task", 1, undefined, [0, null], "1"],
  ["nothing new", 2, 0.5, [2, 0.5], ""],
  ["progress that was not seen", 2, 0.5, [2, 0.25], "2:0.5"],
  ["progress since the attempt began", 2, 0.5, [1, null], "2 2:0.5"],
  ["progress before the attempt ended", 3, 0.5, [2, 0.25], "2:0.5 3:0.5"],
  ["an end without further progress", 3, 0.5, [2, 0.5], "3:0.5"],
  ["the same progress of another attempt", 4, 0.5, [2, 0.5], "3 4 4:0.5"],
  ["another attempt, which has said nothing", 4, undefined, [2, 0.5], "3 4"],
  ["everything at once", 6, 0.75, [0, null], "1 2 3 4 4:0.75 5:0.75 6:0.75"],
  ["a death", 6, 0.75, [5, 0.75], "6:0.75"],
])("%s", (_what, reached, progress, [entry, seenProgress], ids) => {
  const { text, seen } = eventsOf(newsOf(reached, entry, progress ?? null), { entry, progress: seenProgress });
  expect([...text.matchAll(/^id: (.*)$/gm)].map(([, id]) => id).join(" ")).toBe(ids);
  expect(seen).toEqual({ entry: reached, progress: progress ?? null });
});
