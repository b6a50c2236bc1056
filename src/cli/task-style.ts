/** How a task's words look, the same wherever they stand. Pure. */

import { styles } from "../terminal/style.ts";
import { formatDuration } from "../terminal/times.ts";
import type { TaskStatus } from "../words/task.ts";
import type { FailureAnswer } from "./api-answers.ts";

const statusStyles: Record<TaskStatus, string | undefined> = {
  scheduled: styles.dim,
  queued: undefined,
  running: styles.cyan,
  retrying: styles.yellow,
  succeeded: styles.green,
  failed: styles.red,
  dead: styles.red,
  canceled: styles.dim,
  discarded: styles.dim,
};

export function styleOfStatus(status: TaskStatus): string | undefined {
  return statusStyles[status];
}

/** A message that begins with the type is not told twice. */
export function failureText(failure: FailureAnswer | null): string {
  if (!failure) return "";
  const { type, message } = failure;
  return message === "" || message.startsWith(type) ? message || type : `${type}: ${message}`;
}

/** From `from` to `to`; empty when one of them has not come. */
export function tookText(from: string | null, to: string | null): string {
  return from === null || to === null ? "" : formatDuration(Math.max(0, Date.parse(to) - Date.parse(from)));
}
