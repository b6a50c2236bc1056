/** What callers of the RPC may ask of dead letters, in protobuf's JSON form. */

import { z } from "zod";
import { parseMessage } from "../rpc/call.ts";
import type { DeadCursor, DeadFilter, DeadSelection } from "../store/ports/dead-letters.ts";
import type { RedriveOrder } from "../store/ports/redrives.ts";
import { deadGroupPattern } from "../words/dead-group.ts";
import { TaskError } from "../words/errors.ts";
import { taskReasons, taskTypePattern } from "../words/task.ts";
import { isTaskId } from "../words/task-id.ts";
import { givenId, pageLimit, timestamp } from "./requests.ts";

/** Ids in one selection. */
const maxIds = 1000;
/** Tasks a second; a redrive without a rate goes as fast as it can. The time of the next step must be a date. */
const minRate = 0.001;
const maxRate = 100_000;

const selection = z
  .strictObject({
    ids: z.array(givenId).max(maxIds).default([]),
    type: z.string().default(""),
    errorType: z.string().max(255).default(""),
    reason: z.union([z.literal(""), z.enum(taskReasons)]).default(""),
    group: z.union([z.literal(""), z.string().toLowerCase().regex(deadGroupPattern)]).default(""),
    since: timestamp.optional(),
    until: timestamp.optional(),
  })
  .refine(({ ids, ...filter }) => ids.length === 0 || Object.values(filter).every((value) => !value))
  .refine(({ type }) => type === "" || taskTypePattern.test(type))
  .transform(({ ids, type, errorType, reason, group, since, until }): DeadSelection => {
    if (ids.length > 0) return { kind: "ids", ids: [...new Set(ids)] };
    return {
      kind: "filter",
      ...(type && { type }),
      ...(errorType && { errorType }),
      ...(reason && { reason }),
      ...(group && { group }),
      ...(since !== undefined && { sinceMs: since }),
      ...(until !== undefined && { untilMs: until }),
    };
  });

const everything: DeadFilter = { kind: "filter" };

const listDeadLetters = z.strictObject({
  selection: selection.default(everything),
  limit: pageLimit,
  cursor: z.string().default(""),
});

const listGroups = z.strictObject({
  selection: selection
    .refine((asked) => asked.kind === "filter" && asked.errorType === undefined && asked.reason === undefined)
    .default(everything),
  limit: pageLimit,
});

const redrive = z
  .strictObject({
    selection: selection.default(everything),
    ratePerSecond: z.union([z.literal(0), z.number().min(minRate).max(maxRate)]).default(0),
    dryRun: z.boolean().default(false),
    force: z.boolean().default(false),
    reason: z.string().max(1024).default(""),
    payload: z.unknown().optional(),
  })
  // One payload for several tasks is nobody's wish.
  .refine(({ selection, payload }) => payload === undefined || (selection.kind === "ids" && selection.ids.length === 1))
  .transform(({ ratePerSecond, dryRun, force, payload, ...rest }) => ({
    ...rest,
    payload: payload === undefined ? null : JSON.stringify(payload),
    ratePerSecond: ratePerSecond || null,
    isForced: force,
    isDryRun: dryRun,
  }));

const listUnreadable = z.strictObject({ limit: pageLimit });
const getRedrive = z.strictObject({ id: givenId, withOutcome: z.boolean().default(false) });
const controlRedrive = z.strictObject({ id: givenId, command: z.enum(["pause", "resume", "cancel"]) });
const discard = z.strictObject({ id: givenId, reason: z.string().min(1).max(1024) });

export function parseListDeadLetters(message: unknown) {
  const { cursor, ...rest } = parseMessage("ListDeadLetters", message, (it) => listDeadLetters.safeParse(it));
  return { ...rest, cursor: cursor === "" ? null : fromCursor(cursor) };
}

export function parseListGroups(message: unknown): { filter: DeadFilter; limit: number } {
  const { selection, limit } = parseMessage("ListDeadLetterGroups", message, (it) => listGroups.safeParse(it));
  return { filter: selection.kind === "filter" ? selection : everything, limit };
}

export function parseListUnreadable(message: unknown): z.infer<typeof listUnreadable> {
  return parseMessage("ListUnreadable", message, (it) => listUnreadable.safeParse(it));
}

export function parseRedrive(message: unknown): Omit<RedriveOrder, "id"> & { isDryRun: boolean } {
  return parseMessage("RedriveDeadLetters", message, (it) => redrive.safeParse(it));
}

export function parseGetRedrive(message: unknown): z.infer<typeof getRedrive> {
  return parseMessage("GetRedrive", message, (it) => getRedrive.safeParse(it));
}

export function parseControlRedrive(message: unknown): z.infer<typeof controlRedrive> {
  return parseMessage("ControlRedrive", message, (it) => controlRedrive.safeParse(it));
}

export function parseDiscard(message: unknown): z.infer<typeof discard> {
  return parseMessage("DiscardDeadLetter", message, (it) => discard.safeParse(it));
}

/** Where a list goes on, as a word that callers give back as it is. */
export function toCursor({ diedAtMs, id }: DeadCursor): string {
  return Buffer.from(`${diedAtMs} ${id}`).toString("base64url");
}

function fromCursor(text: string): DeadCursor {
  const [diedAt = "", id = ""] = Buffer.from(text, "base64url").toString().split(" ");
  if (!/^\d{1,15}$/.test(diedAt) || !isTaskId(id)) {
    throw new TaskError("invalid_argument", "the cursor is not one that an earlier answer gave");
  }
  return { diedAtMs: Number(diedAt), id };
}
