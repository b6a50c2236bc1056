/** Dead letters and redrives as the API takes and shows them: what is checked, what OpenAPI describes, and the records that answer. */

import { z } from "zod";
import type { DeadFilter, DeadGroup, DeadLetter, UnreadableMessage } from "../store/ports/dead-letters.ts";
import type { Redrive, RedriveOutcome } from "../store/ports/redrives.ts";
import { deadGroupPattern, errorOfDeath, toPattern } from "../words/dead-group.ts";
import { deadReasons, type TimelineEntry, taskReasons, taskTypePattern } from "../words/task.ts";
import { canonicalId } from "../words/task-id.ts";
import { parseTime } from "../words/time-text.ts";
import { count, givenId, pageLimit, queryTime, time, timeOrNull, timeText, toTime } from "./fields.ts";
import { failure, task, taskId, taskType, toTask, traceId } from "./task.ts";

/** `time`: as a query has it, or a body. */
const filterWith = <Time extends z.ZodType>(time: Time) => ({
  type: z.string().regex(taskTypePattern, "expected a task type").optional(),
  error: z.string().min(1).max(255).optional().meta({ description: "The `type` of the last attempt's error." }),
  reason: z.enum(taskReasons).optional().meta({ description: "Why the task died." }),
  group: z
    .string()
    .toLowerCase()
    .regex(deadGroupPattern, "expected a group as /v1/dead-letters/groups tells it")
    .optional()
    .meta({ description: "Fingerprint of the last attempt's error." }),
  since: time.meta({ description: "Died then or later." }),
  until: time.meta({ description: "Died then or earlier." }),
});

/** In a query. */
export const deadLetterQuery = filterWith(queryTime.optional());
const fields = filterWith(timeText.optional());

const filter = z.strictObject(fields).meta({ id: "DeadLetterFilter", description: "All of it fits; {} fits all." });

export type DeadLetterFilter = z.infer<typeof filter>;

/** What is documented of an id; its other spellings are taken, too. */
const uuid7 = { format: "uuid", pattern: z.core.regexes.uuid7.source };

/** What `POST /v1/dead-letters/redrive` takes, and `RedriveDeadLetters`. */
export const newRedrive = z
  .strictObject({
    ids: z
      .array(z.string().transform(canonicalId).pipe(z.uuidv7("expected a task id")).meta(uuid7))
      .min(1)
      .max(1000)
      .optional(),
    filter: filter.optional(),
    rate_per_second: z.number().min(0.001).max(100_000).optional().meta({ description: "Else as fast as it goes." }),
    dry_run: z.boolean().optional().meta({ description: "Only counts what fits." }),
    force: z.boolean().optional().meta({ description: "Also those that came back dead three times." }),
    reason: z.string().max(1024).optional().meta({ description: "Shown in the task's history." }),
    payload: z.unknown().optional().meta({
      description: "Any JSON, in place of the task's own payload, checked as at its submission; with one id alone.",
    }),
  })
  .refine((body) => body.payload === undefined || body.ids?.length === 1, {
    path: ["payload"],
    message: "expected only with the id of one task",
  })
  .refine((body) => (body.ids === undefined) !== (body.filter === undefined), {
    message: "expected either ids or filter; the filter {} fits all",
  })
  .meta({
    id: "NewRedrive",
    oneOf: [
      { required: ["ids"], not: { required: ["payload"], properties: { payload: {} } } },
      {
        required: ["ids", "payload"],
        properties: { ids: { maxItems: 1 }, payload: {} },
        not: { required: ["filter"], properties: { filter: {} } },
      },
      { required: ["filter"], not: { required: ["payload"], properties: { payload: {} } } },
    ],
    examples: [{ filter: { type: "send-email" }, rate_per_second: 50 }],
  });

export const deadLetter = z
  .object({
    task,
    reason: z.enum(deadReasons),
    died_at: time,
    trace_id: traceId,
    redrives: count.meta({ description: "How often it was brought back before." }),
    group: z.string().meta({ description: "Fingerprint of its error: that of others which died of the same." }),
  })
  .meta({ id: "DeadLetter", description: "A dead task, why and when it died." });

export const group = z
  .object({
    group: z.string().meta({ description: "With `type` a filter for exactly these.", examples: ["6ab1c4d5e9f0"] }),
    type: taskType,
    error: failure.nullable().meta({ description: "With a name in place of what differs within the group." }),
    count,
    first_seen: time,
    last_seen: time,
    task_id: taskId.meta({ description: "The newest of them." }),
    trace_id: traceId.meta({ description: "In which the newest died." }),
  })
  .meta({ id: "DeadLetterGroup", description: "Dead tasks of one type that died of the same." });

export const unreadable = z
  .object({
    message_id: z.string(),
    body: z.string(),
    attributes: z.record(z.string(), z.string()),
    reason: z.string(),
    received_at: time,
  })
  .meta({ id: "UnreadableMessage", description: "A message of the dead-letter queue that names no task." });

export const redrive = z
  .object({
    id: z.string().nullable().meta({ description: "null of a dry run." }),
    status: z.string(),
    matched: count,
    moved: count,
    failed: count,
    rate_per_second: z.number().nullable(),
    reason: z.string().nullable(),
    created_at: timeOrNull,
    ended_at: timeOrNull,
    outcome: z
      .object({ followed: count, succeeded: count, dead: count, canceled: count, discarded: count })
      .optional()
      .meta({
        description:
          "When it is asked for: what has become of the first 1,000 tasks that were moved; the rest of `followed` goes on.",
      }),
  })
  .meta({ id: "Redrive", description: "Dead tasks on their way back to work." });

/** Requests of RPC. */
export const listDeadLetters = z.strictObject({ ...fields, limit: pageLimit, cursor: z.string().default("") });
export const listGroups = z.strictObject({
  type: fields.type,
  group: fields.group,
  since: fields.since,
  until: fields.until,
  limit: pageLimit,
});
export const listUnreadable = z.strictObject({ limit: pageLimit });
export const getDeadLetter = z.strictObject({ id: givenId });
export const getRedrive = z.strictObject({ id: givenId, outcome: z.boolean().default(false) });
export const controlRedrive = z.strictObject({ id: givenId, command: z.enum(["pause", "resume", "cancel"]) });

/** What `POST /v1/dead-letters/{id}/discard` takes. */
export const newDiscard = z
  .strictObject({ reason: z.string().min(1).max(1024) })
  .meta({ id: "NewDiscard", examples: [{ reason: "the order was canceled" }] });
export const discardDeadLetter = z.strictObject({ ...newDiscard.shape, id: givenId });

/** The filter as the store takes it. */
export function toDeadFilter({ type, error, reason, group, since, until }: DeadLetterFilter): DeadFilter {
  return {
    kind: "filter",
    ...(type && { type }),
    ...(error && { errorType: error }),
    ...(reason && { reason }),
    ...(group && { group }),
    ...(since !== undefined && { sinceMs: parseTime(since) }),
    ...(until !== undefined && { untilMs: parseTime(until) }),
  };
}

/** The record of a dead task: why and when it died, in which trace, and how often it was brought back before. */
export function toDeadLetter(letter: DeadLetter, timeline: readonly TimelineEntry[]): z.input<typeof deadLetter> {
  return {
    task: toTask(letter.task, timeline),
    reason: letter.reason,
    died_at: toTime(letter.diedAtMs),
    trace_id: traceIdOf(letter),
    redrives: letter.task.redrives,
    group: letter.group,
  };
}

export function toGroup(found: DeadGroup): z.input<typeof group> {
  const { sample } = found;
  const { type, message } = errorOfDeath(sample.task.error, sample.reason);
  return {
    group: found.group,
    type: found.type,
    error: { type, message: toPattern(message) },
    count: found.count,
    first_seen: toTime(found.firstSeenMs),
    last_seen: toTime(found.lastSeenMs),
    task_id: sample.task.id,
    trace_id: traceIdOf(sample),
  };
}

/** version-traceid-spanid-flags */
function traceIdOf({ deathTraceparent }: DeadLetter): string {
  return deathTraceparent.split("-")[1] ?? "";
}

export function toRedrive(of: Redrive, outcome?: RedriveOutcome): z.input<typeof redrive> {
  return {
    id: of.id,
    status: of.status,
    matched: of.matched,
    moved: of.moved,
    failed: of.failed,
    rate_per_second: of.ratePerSecond,
    reason: of.reason.toWellFormed() || null,
    created_at: toTime(of.createdAtMs),
    ended_at: toTime(of.endedAtMs),
    ...(outcome && { outcome: { ...outcome } }),
  };
}

/** Of a redrive that was only counted. */
export function toDryRun({ matched, refused }: { matched: number; refused: number }): z.input<typeof redrive> {
  return {
    id: null,
    status: "dry_run",
    matched,
    moved: 0,
    failed: refused,
    rate_per_second: null,
    reason: null,
    created_at: null,
    ended_at: null,
  };
}

export function toUnreadable(message: UnreadableMessage): z.input<typeof unreadable> {
  const { messageId, body, attributes, reason, atMs } = message;
  const wellFormed = Object.entries(attributes).map(([name, value]) => [name.toWellFormed(), value.toWellFormed()]);
  return {
    message_id: messageId,
    body: body.toWellFormed(),
    attributes: Object.fromEntries(wellFormed),
    reason,
    received_at: toTime(atMs),
  };
}
