/** The torture's judge: it sees what is lost, doubled, early, illegal or unexplained, and accepts what a kill explains. */

import { describe, expect, test } from "bun:test";
import type { TimelineEntry } from "../../src/words/task.ts";
import { checkTorture, type Evidence } from "../torture/check.ts";
import { figuresOf } from "../torture/figures.ts";
import { type JournalLine, toRuns } from "../torture/journal.ts";
import type { ScriptPayload } from "../torture/scripts.ts";
import type { StoredTask } from "../torture/stored.ts";
import type { Life } from "../torture/victim.ts";

const t0 = 1_700_000_000_000;
/** Killed three seconds in; the second life is not. */
const firstLife: Life = {
  victim: "all",
  pid: 100,
  workers: ["w1"],
  spawnedAtMs: t0 - 1000,
  startMs: 400,
  killedAtMs: t0 + 3000,
};
const secondLife: Life = {
  ...firstLife,
  pid: 200,
  workers: ["w2"],
  spawnedAtMs: t0 + 3100,
  startMs: 600,
  killedAtMs: undefined,
};
const lives = [firstLife, secondLife];
const payload: ScriptPayload = { n: 7, runMs: 0, failures: 0 };

type Step = Pick<TimelineEntry, "from" | "to"> & Partial<TimelineEntry>;

const queued: Step = { from: null, to: "queued", atMs: t0 };
const claimed: Step = { from: "queued", to: "running", atMs: t0 + 100, attempt: 1, worker: "w1" };
const succeeded: Step = { from: "running", to: "succeeded", atMs: t0 + 200, attempt: 1, outcome: "succeeded" };
const claimedAgain: Step = {
  from: "running",
  to: "running",
  atMs: t0 + 5000,
  attempt: 2,
  outcome: "crashed",
  worker: "w2",
};
const succeededLater: Step = { ...succeeded, atMs: t0 + 5100, attempt: 2 };

function task(steps: readonly Step[], changes: Partial<StoredTask> = {}): StoredTask {
  const timeline = steps.map(
    (step): TimelineEntry => ({
      ...{ atMs: t0, attempt: 0, durationMs: 0, outcome: null, error: null, worker: null },
      ...{ traceId: "", spanId: "", service: "" },
      ...step,
    }),
  );
  const attempt = Math.max(...timeline.map((entry) => entry.attempt));
  return {
    id: "task-1",
    type: "torture-quick",
    status: timeline.at(-1)?.to ?? "queued",
    payload: JSON.stringify(payload),
    result: JSON.stringify({ n: payload.n, attempt }),
    error: null,
    reason: null,
    maxAttempts: 5,
    timeline,
    ...changes,
  };
}

function started(attempt: number, pid: number, atMs: number): JournalLine {
  return { kind: "start", run: `run-${attempt}-${pid}-${atMs}`, task: "task-1", attempt, pid, atMs };
}

function ended(start: JournalLine, atMs: number, how: "returned" | "threw" = "returned"): JournalLine {
  return start.kind === "killed" ? start : { ...start, kind: "end", how, atMs };
}

const firstStart = started(1, 100, t0 + 110);
const firstRun = [firstStart, ended(firstStart, t0 + 190)];
const secondStart = started(2, 200, t0 + 5010);
const secondRun = [secondStart, ended(secondStart, t0 + 5090)];
const kill: JournalLine = { kind: "killed", pid: 100, victim: "all", atMs: t0 + 3000 };

/** A task that went well, with what differs. */
function evidence(changes: Partial<Omit<Evidence, "runs">> & { journal?: readonly JournalLine[] } = {}): Evidence {
  const { journal = [...firstRun, kill], ...rest } = changes;
  const submission = { type: "torture-quick", payload, max_attempts: 5 };
  const accepted = [{ id: "task-1", submission, atMs: t0 }];
  return { accepted, keys: [], tasks: [task([queued, claimed, succeeded])], lives, runs: toRuns(journal), ...rest };
}

function problemsOf(changes: Parameters<typeof evidence>[0]): string[] {
  return checkTorture(evidence(changes)).map(({ taskId, what }) => `${taskId}: ${what}`);
}

describe("nothing is wrong with", () => {
  test("a task that ran once and succeeded", () => {
    expect(problemsOf({})).toEqual([]);
  });

  const crashedTask = task([queued, claimed, claimedAgain, succeededLater]);
  const explained: [what: string, changes: Parameters<typeof evidence>[0]][] = [
    ["a run in flight at a kill", { journal: [firstStart, kill, ...secondRun], tasks: [crashedTask] }],
    [
      "a run that ended just before a kill, and was not committed",
      { journal: [firstStart, ended(firstStart, t0 + 2990), kill, ...secondRun], tasks: [crashedTask] },
    ],
    ["a claim that a kill cut short before its run", { journal: [kill, ...secondRun], tasks: [crashedTask] }],
    [
      "a claim of a worker that was killed before it could tell its name",
      {
        journal: [kill, ...secondRun],
        tasks: [crashedTask],
        lives: [{ ...firstLife, workers: [] }, secondLife],
      },
    ],
    [
      "a task whose attempts kills used up",
      {
        journal: [firstStart, kill],
        tasks: [
          task(
            [
              queued,
              claimed,
              { from: "running", to: "failed", attempt: 1, outcome: "crashed" },
              { from: "failed", to: "dead", attempt: 1 },
            ],
            {
              maxAttempts: 1,
              result: null,
              reason: "never_finished",
              error: { type: "never_finished", message: "attempt 1 never finished" },
            },
          ),
        ],
      },
    ],
    ["a key that was answered with the same task twice", { keys: [{ key: "k", ids: ["task-1", "task-1"] }] }],
  ];
  test.each(explained)("%s", (_, changes) => {
    expect(problemsOf(changes)).toEqual([]);
  });
});

describe("the judge tells of", () => {
  const wrong: [what: string, changes: Parameters<typeof evidence>[0], problems: string[]][] = [
    ["a task that was accepted and is lost", { tasks: [], journal: [] }, ["task-1: was accepted and is lost"]],
    ["a task that has not ended", { tasks: [task([queued])], journal: [] }, ["task-1: has not ended, it is queued"]],
    [
      "an attempt that ran twice",
      { journal: [...firstRun, ...[started(1, 100, t0 + 195)].flatMap((start) => [start, ended(start, t0 + 198)])] },
      ["task-1: attempt 1 ran 2 times"],
    ],
    ["a run without a claim", { journal: [...firstRun, ...secondRun] }, ["task-1: attempt 2 ran without a claim"]],
    [
      "a run that began while another was in flight in a living process",
      {
        journal: [firstStart, secondStart, kill, ended(secondStart, t0 + 5090)],
        tasks: [task([queued, claimed, claimedAgain, succeededLater])],
      },
      ["task-1: attempt 2 began in process 200 while attempt 1 ran in process 100"],
    ],
    [
      "a run whose end nobody knows",
      { journal: [firstStart] },
      [
        "task-1: the run of attempt 1 never ended, and nobody killed it",
        "task-1: attempt 1 is told as succeeded, its run open",
      ],
    ],
    ["an outcome without a run", { journal: [] }, ["task-1: attempt 1 is told as succeeded, its run is in no journal"]],
    ["a run of a task that is not there", { accepted: [], tasks: [] }, ["task-1: ran, but is not in the store"]],
    [
      "a crash that no kill explains",
      {
        journal: [firstStart, ended(firstStart, t0 + 190), ...secondRun],
        tasks: [task([queued, claimed, claimedAgain, succeededLater])],
        lives: [{ ...firstLife, killedAtMs: undefined }, secondLife],
      },
      ["task-1: attempt 1 crashed, and nobody killed its worker w1"],
    ],
    [
      "a claim by a worker that was gone",
      {
        journal: [kill, ...secondRun],
        tasks: [task([queued, { ...claimed, atMs: t0 + 3050 }, claimedAgain, succeededLater])],
      },
      ["task-1: attempt 1 began after its worker w1 was killed"],
    ],
    [
      "an outcome that was lost long before the kill",
      {
        journal: [firstStart, ended(firstStart, t0 - 3000), kill, ...secondRun],
        tasks: [task([queued, claimed, claimedAgain, succeededLater])],
      },
      ["task-1: attempt 1 ended 6000 ms before the kill that cut it short"],
    ],
    [
      "a step that no task may make",
      {
        tasks: [
          task([queued, claimed, succeeded, { from: "succeeded", to: "queued", attempt: 1 }, claimed, succeeded]),
        ],
      },
      ["task-1: the timeline has the step succeeded → queued", "task-1: attempt 1 stands at place 2"],
    ],
    [
      "a history with a hole",
      { tasks: [task([queued, claimed, { from: "failed", to: "dead", attempt: 1, outcome: "succeeded" }])] },
      [
        "task-1: the timeline goes on from failed after running",
        'task-1: ended as {"status":"dead","result":{"n":7,"attempt":1},"error":null,"reason":null}, not as {"status":"succeeded","result":{"n":7,"attempt":1},"error":null,"reason":null}',
      ],
    ],
    [
      "a history that does not lead to the status",
      { tasks: [task([queued, claimed, succeeded], { status: "dead" })] },
      [
        "task-1: the timeline ends with succeeded, the task is dead",
        'task-1: ended as {"status":"dead","result":{"n":7,"attempt":1},"error":null,"reason":null}, not as {"status":"succeeded","result":{"n":7,"attempt":1},"error":null,"reason":null}',
      ],
    ],
    [
      "a result of another attempt than the last",
      { tasks: [task([queued, claimed, succeeded], { result: '{"n":7,"attempt":2}' })] },
      [
        'task-1: ended as {"status":"succeeded","result":{"n":7,"attempt":2},"error":null,"reason":null}, not as {"status":"succeeded","result":{"n":7,"attempt":1},"error":null,"reason":null}',
      ],
    ],
    [
      "a death with attempts left",
      {
        journal: [firstStart, kill],
        tasks: [
          task(
            [
              queued,
              claimed,
              { from: "running", to: "failed", attempt: 1, outcome: "crashed" },
              { from: "failed", to: "dead", attempt: 1 },
            ],
            { result: null, reason: "never_finished", error: { type: "never_finished", message: "gone" } },
          ),
        ],
      },
      [
        'task-1: ended as {"status":"dead","result":null,"error":"gone","reason":"never_finished"}, not as {"anything":"but an end after attempt 1"}',
      ],
    ],
    [
      "an attempt that ended otherwise than its script says",
      {
        tasks: [
          task([
            queued,
            claimed,
            { ...succeeded, to: "retrying", outcome: "timed_out" },
            { ...claimedAgain, from: "retrying", outcome: null },
            succeededLater,
          ]),
        ],
        journal: [...firstRun, kill, ...secondRun],
      },
      ["task-1: attempt 1 ended as timed_out, its script says succeeded"],
    ],
    [
      "a first attempt before its time",
      { tasks: [task([queued, claimed, succeeded], { payload: JSON.stringify({ ...payload, delayMs: 500 }) })] },
      ["task-1: attempt 1 began after 100 ms, not before 500 ms were over"],
    ],
    [
      "a key that was answered with two tasks",
      { keys: [{ key: "k", ids: ["task-1", "task-2"] }] },
      ['undefined: the key "k" was answered with several tasks: task-1, task-2'],
    ],
    [
      "a key that made two tasks, even when nobody was told of one",
      {
        tasks: ["task-1", "task-2"].map((id) =>
          task([queued], { id, payload: JSON.stringify({ ...payload, key: "k" }), result: null }),
        ),
        journal: [],
      },
      [
        'undefined: the key "k" made 2 tasks: task-1, task-2',
        "task-1: has not ended, it is queued",
        "task-2: has not ended, it is queued",
      ],
    ],
  ];
  test.each(wrong)("%s", (_, changes, problems) => {
    expect(problemsOf(changes)).toEqual(problems);
  });
});

test("the figures tell runs that nobody was told of from those that were", () => {
  const journal = [firstStart, kill, ...secondRun];
  const tasks = [task([queued, claimed, claimedAgain, succeededLater])];
  expect(figuresOf(evidence({ journal, tasks }))).toEqual({
    kills: 1,
    killsWhileStarting: 0,
    accepted: 1,
    stored: 1,
    succeeded: 1,
    dead: {},
    runs: 2,
    extraRuns: 1,
    inFlightAtKills: 1,
    endedUncommitted: 0,
    claimsWithoutRun: 0,
    startMs: { p50: 600, p99: 600 },
  });
});
