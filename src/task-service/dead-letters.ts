/** What the task service answers about dead letters: lists, redrives, discards. The dlq role does the moving. */

import type { Context } from "@opentelemetry/api";
import {
  controlRedrive as controlRedriveForm,
  discardDeadLetter as discardForm,
  getDeadLetter as getDeadLetterForm,
  getRedrive as getRedriveForm,
  listDeadLetters as listDeadLettersForm,
  listGroups as listGroupsForm,
  listUnreadable as listUnreadableForm,
  newRedrive,
  toDeadFilter,
  toDeadLetter,
  toDryRun,
  toGroup,
  toRedrive,
  toUnreadable,
} from "../api/dead-letter.ts";
import type { Clock } from "../limits/clock.ts";
import { type Answer, maxMessageBytes, type RpcHandler, type RpcHandlers } from "../rpc/call.ts";
import type { DeadCursor, DeadLetterStore, DeadSelection } from "../store/ports/dead-letters.ts";
import { bytesInJson, bytesOfTask, fitting, newestEntries } from "../store/ports/pages.ts";
import type { Redrive, RedriveOrder, RedriveOutcome, RedriveStore } from "../store/ports/redrives.ts";
import type { Actor, TaskStore } from "../store/ports/tasks.ts";
import type { TaskTypes } from "../store/ports/types.ts";
import type { Logger } from "../telemetry/logs/log.ts";
import { TaskError } from "../words/errors.ts";
import { textOf, writeJson } from "../words/json-text.ts";
import { isTaskId, newTaskId } from "../words/task-id.ts";
import type { PayloadChecks } from "./payload-checks.ts";
import { answerTask, parseRequest } from "./requests.ts";

export interface DeadLetterDeps {
  store: DeadLetterStore & RedriveStore & Pick<TaskStore, "get" | "timeline">;
  types: Pick<TaskTypes, "find">;
  payloads: PayloadChecks;
  clock: Clock;
  log: Logger;
  actorIn(context: Context): Actor;
}

type DeadLetterMethod =
  | "ListDeadLetters"
  | "GetDeadLetter"
  | "ListDeadLetterGroups"
  | "ListUnreadable"
  | "RedriveDeadLetters"
  | "GetRedrive"
  | "ControlRedrive"
  | "DiscardDeadLetter";

type Handler = (deps: DeadLetterDeps) => RpcHandler;

export function createDeadLetterHandlers(deps: DeadLetterDeps): Pick<RpcHandlers, DeadLetterMethod> {
  return {
    ListDeadLetters: listDeadLetters(deps),
    GetDeadLetter: getDeadLetter(deps),
    ListDeadLetterGroups: listGroups(deps),
    ListUnreadable: listUnreadable(deps),
    RedriveDeadLetters: redriveDeadLetters(deps),
    GetRedrive: getRedrive(deps),
    ControlRedrive: controlRedrive(deps),
    DiscardDeadLetter: discardDeadLetter(deps),
  };
}

const listDeadLetters: Handler =
  ({ store }) =>
  async (message, { context }) => {
    const { limit, cursor, ...filter } = parseRequest("ListDeadLetters", listDeadLettersForm, message);
    const after = cursor === "" ? null : fromCursor(cursor);
    // One more than is shown tells whether a page follows.
    const found = await store.listDead(toDeadFilter(filter), limit + 1, after, context);
    const timelines = await Promise.all(found.slice(0, limit).map(({ task }) => store.timeline(task.id, context)));
    const letters = fitting(found.slice(0, limit), ({ task }, index) => bytesOfTask(task, timelines[index] ?? []));
    const last = letters.at(-1);
    const isLastPage = found.length === letters.length || !last;
    return {
      json: writeJson({
        items: letters.map((letter, index) => toDeadLetter(letter, newestEntries(timelines[index] ?? []))),
        next_cursor: isLastPage ? null : toCursor({ diedAtMs: last.diedAtMs, id: last.task.id }),
      }),
    };
  };

const getDeadLetter: Handler =
  ({ store }) =>
  async (message, { context }) => {
    const { id } = parseRequest("GetDeadLetter", getDeadLetterForm, message);
    const [letter] = isTaskId(id) ? await store.listDead({ kind: "ids", ids: [id] }, 1, null, context) : [];
    if (!letter) throw new TaskError("not_found", `there is no dead letter "${id}"`);
    return { json: writeJson(toDeadLetter(letter, newestEntries(await store.timeline(id, context)))) };
  };

const listGroups: Handler =
  ({ store }) =>
  async (message, { context }) => {
    const { limit, ...filter } = parseRequest("ListDeadLetterGroups", listGroupsForm, message);
    const groups = await store.deadGroups(toDeadFilter(filter), limit, context);
    return { json: writeJson({ items: groups.map(toGroup) }) };
  };

const listUnreadable: Handler =
  ({ store }) =>
  async (message, { context }) => {
    const { limit } = parseRequest("ListUnreadable", listUnreadableForm, message);
    const messages = await store.listUnreadable(limit, context);
    const items = fitting(messages, (message) => bytesInJson(message)).map(toUnreadable);
    return { json: writeJson({ items }) };
  };

const redriveDeadLetters: Handler =
  (deps) =>
  async (message, { context }) => {
    const { store, clock, log } = deps;
    const request = parseRequest("RedriveDeadLetters", newRedrive, message);
    const { ids, filter = {}, rate_per_second: rate, dry_run: isDryRun, force, reason, payload } = request;
    const order: RedriveOrder = {
      id: newTaskId(),
      selection: ids ? { kind: "ids", ids: [...new Set(ids)] } : toDeadFilter(filter),
      ratePerSecond: rate ?? null,
      isForced: force ?? false,
      reason: reason ?? "",
      payload: payload === undefined ? null : textOf(payload),
    };
    await refuseLiving(order.selection, deps, context);
    if (order.payload !== null) await refuseUnfit(order.payload, order.selection, deps, context);
    if (isDryRun) return { json: writeJson(toDryRun(await store.countRedrive(order, context))) };
    const redrive = await store.startRedrive(order, clock.nowMs(), context);
    log.in(context).info("redrive ordered", {
      redrive_id: redrive.id,
      matched: redrive.matched,
      reason: redrive.reason,
      ...(redrive.payload !== null && { has_new_payload: true }),
    });
    return answerRedrive(redrive);
  };

/** As its submission would be. */
async function refuseUnfit(
  payload: string,
  selection: DeadSelection,
  { store, types, payloads }: DeadLetterDeps,
  context: Context,
): Promise<void> {
  if (payload.length > maxMessageBytes) {
    throw new TaskError("payload_too_large", `the payload is larger than ${maxMessageBytes} bytes`);
  }
  const [letter] = await store.listDead(selection, 1, null, context);
  const type = letter && (await types.find(letter.task.type));
  if (type && type.payloadSchema !== null) await payloads.check(type, JSON.parse(payload));
}

/** Of tasks that are named, those that are not dead count as failed; when none is, there is nothing to order. */
async function refuseLiving(
  selection: DeadSelection,
  { store }: Pick<DeadLetterDeps, "store">,
  context: Context,
): Promise<void> {
  if (selection.kind !== "ids" || (await store.listDead(selection, 1, null, context)).length > 0) return;
  const [id = "", ...others] = selection.ids;
  if (others.length > 0) throw new TaskError("conflict", `none of the ${selection.ids.length} tasks is dead`);
  const task = isTaskId(id) ? await store.get(id, context) : undefined;
  if (!task) throw new TaskError("not_found", `there is no task "${id}"`);
  throw new TaskError("conflict", `the task is ${task.status}, not dead`);
}

const getRedrive: Handler =
  ({ store }) =>
  async (message, { context }) => {
    const { id, outcome } = parseRequest("GetRedrive", getRedriveForm, message);
    const redrive = isTaskId(id) ? await store.getRedrive(id, context) : undefined;
    if (!redrive) throw noRedrive(id);
    return answerRedrive(redrive, outcome ? await store.redriveOutcome(id, context) : undefined);
  };

const controlRedrive: Handler =
  ({ store, clock, log }) =>
  async (message, { context }) => {
    const { id, command } = parseRequest("ControlRedrive", controlRedriveForm, message);
    const controlled = isTaskId(id) ? await store.controlRedrive(id, command, clock.nowMs(), context) : undefined;
    if (!controlled) throw noRedrive(id);
    const { redrive, isTaken } = controlled;
    if (!isTaken) throw new TaskError("conflict", `the redrive is ${redrive.status} already`);
    log.in(context).info("redrive controlled", { redrive_id: id, status: redrive.status });
    return answerRedrive(redrive);
  };

const discardDeadLetter: Handler =
  ({ store, log, actorIn }) =>
  async (message, { context }) => {
    const { id, reason } = parseRequest("DiscardDeadLetter", discardForm, message);
    const discarded = isTaskId(id)
      ? await store.discard(id, reason, actorIn(context), context)
      : { kind: "unknown" as const };
    if (discarded.kind === "unknown") throw new TaskError("not_found", `there is no task "${id}"`);
    if (discarded.kind === "moved_on") throw new TaskError("conflict", `the task is ${discarded.status}, not dead`);
    const { task } = discarded;
    const ids = { correlation_id: task.correlationId, task_id: id, task_type: task.type };
    log.in(context).with(ids).info("dead letter discarded", { reason });
    return answerTask(task, await store.timeline(id, context));
  };

function answerRedrive(redrive: Redrive, outcome?: RedriveOutcome): Answer {
  return { json: writeJson(toRedrive(redrive, outcome)) };
}

/** Where a list goes on, as a word that callers give back as it is. */
function toCursor({ diedAtMs, id }: DeadCursor): string {
  return Buffer.from(`${diedAtMs} ${id}`).toString("base64url");
}

function fromCursor(text: string): DeadCursor {
  const [diedAt = "", id = ""] = Buffer.from(text, "base64url").toString().split(" ");
  if (!/^\d{1,15}$/.test(diedAt) || !isTaskId(id)) {
    throw new TaskError("invalid_argument", "the cursor is not one that an earlier answer gave");
  }
  return { diedAtMs: Number(diedAt), id };
}

function noRedrive(id: string): TaskError {
  return new TaskError("not_found", `there is no redrive "${id}"`);
}
