/** The ten tasks of the demo and what must become of each. */

import type { TaskStatus } from "../words/task.ts";
import type { TaskAnswer } from "./api-answers.ts";

export interface ScriptedTask {
  type: string;
  payload: unknown;
  maxAttempts?: number;
  /** What it shows, in a few words. */
  shows: string;
  fate: { status: TaskStatus; attempts: number };
}

const succeeds = { status: "succeeded", attempts: 1 } as const;

export const demoScript: readonly ScriptedTask[] = [
  { type: "echo", payload: { order: 1001 }, shows: "succeeds", fate: succeeds },
  { type: "echo", payload: { order: 1002 }, shows: "succeeds", fate: succeeds },
  { type: "sleep", payload: { ms: 900 }, shows: "is slow", fate: succeeds },
  { type: "echo", payload: { order: 1003 }, shows: "succeeds", fate: succeeds },
  {
    type: "flaky",
    payload: { failures: 1 },
    shows: "fails once, is retried",
    fate: { status: "succeeded", attempts: 2 },
  },
  { type: "echo", payload: { order: 1004 }, shows: "succeeds", fate: succeeds },
  {
    type: "fail",
    payload: { message: "card declined" },
    maxAttempts: 3,
    shows: "fails three times, dies",
    fate: { status: "dead", attempts: 3 },
  },
  {
    type: "flaky",
    payload: { failures: 2 },
    shows: "fails twice, is retried",
    fate: { status: "succeeded", attempts: 3 },
  },
  { type: "echo", payload: { order: 1005 }, shows: "succeeds", fate: succeeds },
  { type: "echo", payload: { order: 1006 }, shows: "succeeds", fate: succeeds },
];

export function isAsScripted(scripted: ScriptedTask, task: TaskAnswer): boolean {
  return task.status === scripted.fate.status && task.attempt === scripted.fate.attempts;
}
