/** A task's status as a word with its colour: never the colour alone. */

import type { TaskStatus } from "../../../words/task.ts";

const tones: Record<TaskStatus, "wait" | "run" | "good" | "bad" | "warn" | "over"> = {
  scheduled: "wait",
  queued: "wait",
  running: "run",
  retrying: "warn",
  succeeded: "good",
  failed: "bad",
  dead: "bad",
  canceled: "over",
  discarded: "over",
};

export function Status({ status }: { status: TaskStatus }) {
  return <span class={`status tone-${tones[status]}`}>{status}</span>;
}
