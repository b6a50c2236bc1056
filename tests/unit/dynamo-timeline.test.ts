/** A timeline as DynamoDB keeps it: what is not written is counted out, also behind what was forgotten. */

import { expect, test } from "bun:test";
import fc from "fast-check";
import { forgetOldest, type NotedChange, noteOf, toTimeline, traceparentOf } from "../../src/store/dynamo/timeline.ts";
import { type TaskStatus, transitions } from "../../src/words/task.ts";
import { actorAt, t0 } from "../support/stored-tasks.ts";

const error = { type: "E", message: "no" };

function notesOf(changes: readonly NotedChange[]): string[] {
  return changes.map((change, n) => noteOf(actorAt(t0 + n * n), change));
}

const life: NotedChange[] = [
  { to: "scheduled" },
  { to: "queued" },
  { to: "running", worker: "w1" },
  { to: "running", worker: "w2" },
  { to: "queued", outcome: "interrupted", error, isOutcome: true },
  { to: "running", worker: "w3" },
  { to: "failed", outcome: "failed", error, isOutcome: true },
  { to: "dead" },
  { to: "queued" },
  { to: "running", worker: "w4" },
  { to: "canceled", outcome: "crashed" },
];

test("what follows from the entry before is counted out", () => {
  const told = toTimeline(notesOf(life));
  expect(told.map(({ from, to, attempt, outcome, worker }) => [from, to, attempt, outcome, worker])).toEqual([
    [null, "scheduled", 0, null, null],
    ["scheduled", "queued", 0, null, null],
    ["queued", "running", 1, null, "w1"],
    ["running", "running", 2, "crashed", "w2"],
    ["running", "queued", 2, "interrupted", "w2"],
    ["queued", "running", 2, null, "w3"],
    ["running", "failed", 2, "failed", "w3"],
    ["failed", "dead", 2, null, null],
    ["dead", "queued", 0, null, null],
    ["queued", "running", 1, null, "w4"],
    ["running", "canceled", 1, "crashed", null],
  ]);
  expect(told.map(({ durationMs }) => durationMs)).toEqual([0, 1, 3, 5, 7, 9, 11, 13, 15, 17, 19]);
});

test("the span of a change reads back as its traceparent", () => {
  const notes = notesOf(life);
  const { traceId, spanId } = actorAt(t0 + 100);
  expect(traceparentOf(notes, -1)).toBe(`00-${traceId}-${spanId}-01`);
});

/** A walk along the transitions. */
const anyLife = fc.array(fc.nat(), { minLength: 1, maxLength: 60 }).map((choices) => {
  let status: TaskStatus = "queued";
  const changes: NotedChange[] = [{ to: status }];
  for (const choice of choices) {
    const next: TaskStatus | undefined = transitions[status][choice % Math.max(1, transitions[status].length)];
    if (!next) break;
    changes.push({ to: next, ...(next === "running" && { worker: `w${choice}` }), isOutcome: status === "running" });
    status = next;
  }
  return changes;
});

test("what is left when the oldest entries are forgotten reads as before, however often", () => {
  fc.assert(
    fc.property(anyLife, (changes) => {
      const whole = notesOf(changes);
      const all = toTimeline(whole);
      for (let notes = whole, rounds = 0; notes.length > 1 && rounds < 4; rounds++) {
        notes = forgetOldest(notes);
        const left = toTimeline(notes);
        expect(left).toEqual(all.slice(all.length - left.length));
      }
    }),
  );
});

test("an error is cut where it is long, and stays well-formed", () => {
  const long = { type: "E", message: "\u{1d11e}".repeat(2000), causes: ["y".repeat(5000)] };
  const [entry] = toTimeline(notesOf([{ to: "failed", error: { ...long, message: `x${long.message}` } }]));
  expect(entry?.error?.message.isWellFormed()).toBe(true);
  expect([entry?.error?.message.length, entry?.error?.causes?.[0]?.length]).toEqual([1000, 250]);
});
