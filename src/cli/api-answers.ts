/** What the HTTP API answers: the types of the very schemas that describe it. Only types are imported here. */

import type { z } from "zod";
import type { deadLetter, group, redrive, unreadable } from "../api/dead-letter.ts";
import type { schedule } from "../api/schedule.ts";
import type { task, timelineEntry } from "../api/task.ts";

export type TaskAnswer = z.output<typeof task>;
export type AttemptAnswer = TaskAnswer["attempts"][number];
export type FailureAnswer = NonNullable<TaskAnswer["error"]>;
export type EntryAnswer = z.output<typeof timelineEntry>;
export type DeadLetterAnswer = z.output<typeof deadLetter>;
export type GroupAnswer = z.output<typeof group>;
export type RedriveAnswer = z.output<typeof redrive>;
export type ScheduleAnswer = z.output<typeof schedule>;
export type UnreadableAnswer = z.output<typeof unreadable>;

/** A page of a list; null: it is the last. */
export interface PageAnswer<Item> {
  items: Item[];
  next_cursor: string | null;
}
