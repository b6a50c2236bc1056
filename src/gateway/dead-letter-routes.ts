/** The routes of dead letters and redrives, as the HTTP API promises them. */

import { z } from "zod";
import { deadReasons, taskReasons, taskTypePattern } from "../words/task.ts";
import { canonicalId } from "../words/task-id.ts";
import { cursor, pageLimit, timeAsked } from "./paging.ts";
import { declareRoute } from "./route.ts";
import { count, failure, task, taskId, taskType, time, timeOrNull, traceId } from "./task-schemas.ts";

const filterFields = {
  type: z.string().regex(taskTypePattern, "expected a task type").optional(),
  error: z.string().min(1).max(255).optional().meta({ description: "The `type` of the last attempt's error." }),
  reason: z.enum(taskReasons).optional().meta({ description: "Why the task died." }),
  group: z
    .string()
    .toLowerCase()
    .regex(/^[0-9a-f]{12}$/, "expected a group as /v1/dead-letters/groups tells it")
    .optional()
    .meta({ description: "Fingerprint of the last attempt's error." }),
  since: timeAsked.optional().meta({ description: "Died then or later." }),
  until: timeAsked.optional().meta({ description: "Died then or earlier." }),
};
const filter = z
  .strictObject(filterFields)
  .meta({ id: "DeadLetterFilter", description: "All of it fits; {} fits all." });

export type DeadLetterFilter = z.infer<typeof filter>;

/** What is documented of an id; its other spellings are taken, too. */
const uuid7 = { format: "uuid", pattern: z.core.regexes.uuid7.source };

const redriveBody = z
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
    reason: z.string().max(1024).optional().meta({ description: "For whoever reads the history." }),
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

const tag = "dead letters";
const path = "/dead-letters";

/** One of `pause`, `resume`, `cancel`. */
const control = (command: "pause" | "resume" | "cancel", summary: string) =>
  declareRoute({
    operationId: `${command}Redrive`,
    tag,
    method: "post",
    path: `${path}/redrives/{id}/${command}`,
    scope: "operate",
    summary,
    answers: { 200: { description: "The redrive as it is now.", schema: redrive } },
    problems: ["not_found", "conflict"],
  });

export const deadLetterRoutes = {
  list: declareRoute({
    operationId: "listDeadLetters",
    tag,
    method: "get",
    path,
    scope: "read",
    summary: "List dead tasks",
    query: z.strictObject({
      ...filterFields,
      limit: pageLimit,
      cursor,
    }),
    answers: {
      200: {
        description: "The newest first.",
        schema: z.object({ items: z.array(deadLetter), next_cursor: z.string().nullable() }),
      },
    },
  }),

  listGroups: declareRoute({
    operationId: "listDeadLetterGroups",
    tag,
    method: "get",
    path: `${path}/groups`,
    scope: "read",
    summary: "See what tasks died of",
    query: z.strictObject({
      type: filterFields.type,
      group: filterFields.group,
      since: filterFields.since,
      until: filterFields.until,
      limit: pageLimit,
    }),
    answers: { 200: { description: "The largest group first.", schema: z.object({ items: z.array(group) }) } },
  }),

  listUnreadable: declareRoute({
    operationId: "listUnreadable",
    tag,
    method: "get",
    path: `${path}/unreadable`,
    scope: "read",
    summary: "List messages that nobody can read",
    query: z.strictObject({ limit: pageLimit }),
    answers: { 200: { description: "The newest first.", schema: z.object({ items: z.array(unreadable) }) } },
  }),

  redrive: declareRoute({
    operationId: "redriveDeadLetters",
    tag,
    method: "post",
    path: `${path}/redrive`,
    scope: "operate",
    summary: "Bring dead tasks back",
    description: "Of tasks that are named, those that are not dead count as failed; when none is, it is refused.",
    body: redriveBody,
    answers: {
      202: { description: "They are on their way.", schema: redrive },
      200: { description: "Of a dry run: how many there are.", schema: redrive },
    },
    problems: ["not_found", "conflict"],
  }),

  getRedrive: declareRoute({
    operationId: "getRedrive",
    tag,
    method: "get",
    path: `${path}/redrives/{id}`,
    scope: "read",
    summary: "Look at a redrive",
    query: z.strictObject({
      outcome: z.enum(["true", "false"]).optional().meta({ description: "Whether what became of its tasks is told." }),
    }),
    answers: { 200: { description: "The redrive.", schema: redrive } },
    problems: ["not_found"],
  }),

  pauseRedrive: control("pause", "Pause a redrive"),
  resumeRedrive: control("resume", "Let a paused redrive go on"),
  cancelRedrive: control("cancel", "End a redrive; what it has moved stays moved"),

  get: declareRoute({
    operationId: "getDeadLetter",
    tag,
    method: "get",
    path: `${path}/{id}`,
    scope: "read",
    summary: "Look at a dead task",
    answers: { 200: { description: "The dead letter.", schema: deadLetter } },
    problems: ["not_found"],
  }),

  discard: declareRoute({
    operationId: "discardDeadLetter",
    tag,
    method: "post",
    path: `${path}/{id}/discard`,
    scope: "operate",
    summary: "Put a dead task away for good",
    body: z
      .strictObject({ reason: z.string().min(1).max(1024) })
      .meta({ id: "NewDiscard", examples: [{ reason: "the order was canceled" }] }),
    answers: { 200: { description: "The task.", schema: task } },
    problems: ["not_found", "conflict"],
  }),
};
