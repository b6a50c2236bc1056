/** What the task service answers about dead letters: lists, redrives, discards. The dlq role does the moving. */

import type { Context } from "@opentelemetry/api";
import type { Clock } from "../limits/clock.ts";
import { maxMessageBytes, type RpcHandlers } from "../rpc/call.ts";
import { toDeadLetterGroupJson, toDeadLetterJson, toRedriveJson, toUnreadableJson } from "../rpc/dead-letter-view.ts";
import { toTaskJson } from "../rpc/task-view.ts";
import type { DeadLetterStore, DeadSelection } from "../store/ports/dead-letters.ts";
import { bytesInJson, bytesOfTask, fitting } from "../store/ports/pages.ts";
import type { RedriveOrder, RedriveStore } from "../store/ports/redrives.ts";
import type { Actor, TaskStore } from "../store/ports/tasks.ts";
import type { TaskTypes } from "../store/ports/types.ts";
import type { Logger } from "../telemetry/logs/log.ts";
import { TaskError } from "../words/errors.ts";
import { isTaskId, newTaskId } from "../words/task-id.ts";
import {
  parseControlRedrive,
  parseDiscard,
  parseGetRedrive,
  parseListDeadLetters,
  parseListGroups,
  parseListUnreadable,
  parseRedrive,
  toCursor,
} from "./dead-letter-requests.ts";
import type { PayloadChecks } from "./payload-checks.ts";

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
  | "ListDeadLetterGroups"
  | "ListUnreadable"
  | "RedriveDeadLetters"
  | "GetRedrive"
  | "ControlRedrive"
  | "DiscardDeadLetter";

export function createDeadLetterHandlers({
  store,
  types,
  payloads,
  clock,
  log,
  actorIn,
}: DeadLetterDeps): Pick<RpcHandlers, DeadLetterMethod> {
  const listDeadLetters: RpcHandlers["ListDeadLetters"] = async (message, { context }) => {
    const { selection, limit, cursor } = parseListDeadLetters(message);
    // One more than is shown tells whether a page follows.
    const found = await store.listDead(selection, limit + 1, cursor, context);
    const timelines = await Promise.all(found.slice(0, limit).map(({ task }) => store.timeline(task.id, context)));
    const letters = fitting(found.slice(0, limit), ({ task }, index) => bytesOfTask(task, timelines[index] ?? []));
    const last = letters.at(-1);
    return {
      items: letters.map((letter, index) => toDeadLetterJson(letter, timelines[index] ?? [])),
      ...(found.length > letters.length &&
        last && { nextCursor: toCursor({ diedAtMs: last.diedAtMs, id: last.task.id }) }),
    };
  };

  const listGroups: RpcHandlers["ListDeadLetterGroups"] = async (message, { context }) => {
    const { filter, limit } = parseListGroups(message);
    return { items: (await store.deadGroups(filter, limit, context)).map(toDeadLetterGroupJson) };
  };

  const listUnreadable: RpcHandlers["ListUnreadable"] = async (message, { context }) => {
    const { limit } = parseListUnreadable(message);
    const messages = await store.listUnreadable(limit, context);
    return { items: fitting(messages, (message) => bytesInJson(message)).map(toUnreadableJson) };
  };

  const redriveDeadLetters: RpcHandlers["RedriveDeadLetters"] = async (message, { context }) => {
    const { isDryRun, ...asked } = parseRedrive(message);
    await refuseLiving(asked.selection, context);
    if (asked.payload !== null) await refuseUnfit(asked.payload, asked.selection, context);
    const order: RedriveOrder = { id: newTaskId(), ...asked };
    if (isDryRun) {
      const { matched, refused } = await store.countRedrive(order, context);
      return { redrive: { status: "dry_run", matched: String(matched), moved: "0", failed: String(refused) } };
    }
    const redrive = await store.startRedrive(order, clock.nowMs(), context);
    log.in(context).info("redrive ordered", {
      redrive_id: redrive.id,
      matched: redrive.matched,
      reason: redrive.reason,
      ...(redrive.payload !== null && { has_new_payload: true }),
    });
    return { redrive: toRedriveJson(redrive) };
  };

  /** As its submission would be. */
  const refuseUnfit = async (payload: string, selection: DeadSelection, context: Context): Promise<void> => {
    if (payload.length > maxMessageBytes) {
      throw new TaskError("payload_too_large", `the payload is larger than ${maxMessageBytes} bytes`);
    }
    const [letter] = await store.listDead(selection, 1, null, context);
    const type = letter && (await types.find(letter.task.type));
    if (type && type.payloadSchema !== null) await payloads.check(type, JSON.parse(payload));
  };

  /** Of tasks that are named, those that are not dead count as failed; when none is, there is nothing to order. */
  const refuseLiving = async (selection: DeadSelection, context: Context): Promise<void> => {
    if (selection.kind !== "ids" || (await store.listDead(selection, 1, null, context)).length > 0) return;
    const [id = "", ...others] = selection.ids;
    if (others.length > 0) throw new TaskError("conflict", `none of the ${selection.ids.length} tasks is dead`);
    const task = isTaskId(id) ? await store.get(id, context) : undefined;
    if (!task) throw new TaskError("not_found", `there is no task "${id}"`);
    throw new TaskError("conflict", `the task is ${task.status}, not dead`);
  };

  const getRedrive: RpcHandlers["GetRedrive"] = async (message, { context }) => {
    const { id, withOutcome } = parseGetRedrive(message);
    const redrive = isTaskId(id) ? await store.getRedrive(id, context) : undefined;
    if (!redrive) throw noRedrive(id);
    return { redrive: toRedriveJson(redrive, withOutcome ? await store.redriveOutcome(id, context) : undefined) };
  };

  const controlRedrive: RpcHandlers["ControlRedrive"] = async (message, { context }) => {
    const { id, command } = parseControlRedrive(message);
    const controlled = isTaskId(id) ? await store.controlRedrive(id, command, clock.nowMs(), context) : undefined;
    if (!controlled) throw noRedrive(id);
    const { redrive, isTaken } = controlled;
    if (!isTaken) throw new TaskError("conflict", `the redrive is ${redrive.status} already`);
    log.in(context).info("redrive controlled", { redrive_id: id, status: redrive.status });
    return { redrive: toRedriveJson(redrive) };
  };

  const discardDeadLetter: RpcHandlers["DiscardDeadLetter"] = async (message, { context }) => {
    const { id, reason } = parseDiscard(message);
    const discarded = isTaskId(id)
      ? await store.discard(id, reason, actorIn(context), context)
      : { kind: "unknown" as const };
    if (discarded.kind === "unknown") throw new TaskError("not_found", `there is no task "${id}"`);
    if (discarded.kind === "moved_on") throw new TaskError("conflict", `the task is ${discarded.status}, not dead`);
    const { task } = discarded;
    const ids = { correlation_id: task.correlationId, task_id: id, task_type: task.type };
    log.in(context).with(ids).info("dead letter discarded", { reason });
    return { task: toTaskJson(task, await store.timeline(id, context)) };
  };

  return {
    ListDeadLetters: listDeadLetters,
    ListDeadLetterGroups: listGroups,
    ListUnreadable: listUnreadable,
    RedriveDeadLetters: redriveDeadLetters,
    GetRedrive: getRedrive,
    ControlRedrive: controlRedrive,
    DiscardDeadLetter: discardDeadLetter,
  };
}

function noRedrive(id: string): TaskError {
  return new TaskError("not_found", `there is no redrive "${id}"`);
}
