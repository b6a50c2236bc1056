/**
 * A task's life on DynamoDB: created, read, claimed, prolonged, finished, canceled. The usual way of each is one call,
 * whose condition is the state that is hoped for; a refusal brings the item, and what follows is decided by that.
 */

import type { Context } from "@opentelemetry/api";
import type { Clock } from "../../limits/clock.ts";
import { deadGroupOf } from "../../words/dead-group.ts";
import type { Failure } from "../../words/errors.ts";
import { type DeadReason, isEnded, type TaskRecord, type TaskStatus, type TimelineEntry } from "../../words/task.ts";
import type {
  ClaimRequest,
  ClaimResult,
  Ending,
  FinishRequest,
  HandlerWait,
  Lease,
  LeaseState,
} from "../ports/attempts.ts";
import {
  abandonedAfterMs,
  finishedBefore,
  noHandlerError,
  outcomeOf,
  putOffUntil,
  sendAtAfter,
  withoutFurtherAttempt,
} from "../ports/attempts.ts";
import type { Store } from "../ports/store.ts";
import type { Actor, CancelResult, CreateResult, NewTask } from "../ports/tasks.ts";
import { isNews } from "../ports/tasks.ts";
import { type Attempt, type Condition, changeTask, type Decision, isUnchanged, toUpdate } from "./change.ts";
import { alreadyThere } from "./errors.ts";
import { createIdempotent } from "./idempotency.ts";
import { fromItem, type TaskItem, toNewItem } from "./item.ts";
import { standingOf } from "./lanes.ts";
import { keepResult, withResult } from "./parts.ts";
import { type DynamoTable, forEach } from "./table.ts";
import { firstNumber, newestNumber, noteOf, toTimeline, traceparentOf } from "./timeline.ts";
import { newToken, tokenOf } from "./token.ts";

type TaskOperations = Pick<
  Store,
  "create" | "get" | "timeline" | "awaitEnd" | "awaitChange" | "claim" | "extend" | "noteProgress" | "finish" | "cancel"
>;

/** A wait looks again after this long, and half as long again each time, up to the longest. */
const firstLookMs = 20;
const lookFactor = 1.5;
const longestLookMs = 1000;

export function createTaskOperations(table: DynamoTable, clock: Clock): TaskOperations {
  const { calls } = table;

  const create = async (task: NewTask, actor: Actor, context: Context): Promise<CreateResult> => {
    const item = toNewItem(task, actor, newToken());
    if (task.idempotency) return createIdempotent(table, item, task.idempotency, context);
    const put = await calls.put({ Item: item, ConditionExpression: "attribute_not_exists(pk)" }, context);
    if (put.kind === "refused" && put.item?.token !== item.token) throw alreadyThere(task.id);
    return { kind: "created", task: fromItem(item) };
  };

  const readItem = async (id: string, context: Context | null, isConsistent = true): Promise<TaskItem | undefined> => {
    const item = await calls.get({ Key: { pk: id }, ConsistentRead: isConsistent }, context);
    // The items of tasks' ids are tasks.
    return item as TaskItem | undefined;
  };

  const get = async (id: string, context: Context): Promise<TaskRecord | undefined> => {
    const item = await readItem(id, context);
    return item && fromItem(await withResult(calls, item, context));
  };

  const timeline = async (id: string, context: Context): Promise<TimelineEntry[]> => {
    const input = { Key: { pk: id }, ConsistentRead: true, ProjectionExpression: "timeline" };
    const item = await calls.get(input, context);
    return toTimeline((item as Pick<TaskItem, "timeline"> | undefined)?.timeline ?? []);
  };

  /** Its own process learns of the end as every other does: by looking. Only the first look has a span. */
  const awaitItem = async (
    id: string,
    isAwaited: (item: TaskItem) => boolean,
    waitMs: number,
    context: Context,
    over: AbortSignal | undefined,
  ): Promise<TaskItem | undefined> => {
    const untilMs = performance.now() + waitMs;
    let item = await readItem(id, context);
    for (let pauseMs = firstLookMs; item && !isAwaited(item); pauseMs *= lookFactor) {
      const leftMs = untilMs - performance.now();
      if (leftMs <= 0 || over?.aborted) break;
      await clock.sleep(Math.min(leftMs, pauseMs, longestLookMs), over);
      // What an older copy says is made good by the next look.
      item = (await readItem(id, null, false)) ?? item;
    }
    return item && withResult(calls, item, context);
  };

  const awaitEnd: TaskOperations["awaitEnd"] = async (id, waitMs, context, over) => {
    const item = await awaitItem(id, ({ status }) => isEnded(status), waitMs, context, over);
    return item && fromItem(item);
  };

  const awaitChange: TaskOperations["awaitChange"] = async (id, seen, waitMs, context, over) => {
    const hasNews = (item: TaskItem): boolean =>
      isNews(seen, newestNumber(item.timeline), { status: item.status, progress: item.progress ?? null });
    const item = await awaitItem(id, hasNews, waitMs, context, over);
    return (
      item && {
        task: fromItem(item),
        timeline: toTimeline(item.timeline),
        firstNumber: firstNumber(item.timeline),
      }
    );
  };

  const noteProgress: TaskOperations["noteProgress"] = async (told, context) => {
    await forEach(told, ({ id, claim: number, share }) =>
      calls.update(toUpdate(id, { set: { progress: share } }, runningUnder(number)), context),
    );
  };

  const claim = async (request: ClaimRequest, context: Context): Promise<ClaimResult> => {
    const { id, actor, lacksHandler } = request;
    // What the task waits for is decided from the task itself, which a condition that nothing meets brings.
    const usual = winning(
      request,
      lacksHandler
        ? { text: "#version = :none", values: { ":none": -1 } }
        : {
            text: "#status IN (:queued, :retrying) AND #runAtMs <= :now AND #attempt < #maxAttempts AND attribute_not_exists(#isCancelAsked)",
            values: { ":queued": "queued", ":retrying": "retrying", ":now": actor.atMs },
          },
    );
    const decided = await changeTask<ClaimResult>(calls, id, usual, (task) => decideClaim(task, request), context);
    return decided ?? { kind: "unknown" };
  };

  const decideClaim = (task: TaskItem, request: ClaimRequest): Decision<ClaimResult> => {
    const { status, leaseUntilMs = 0 } = task;
    const { actor } = request;
    if (isEnded(status)) return { done: { kind: "ended", status } };
    if (status === "failed") {
      return { done: { kind: "failed", reason: task.reason ?? "attempts_exhausted", task: fromItem(task) } };
    }
    if (status === "running" && leaseUntilMs > actor.atMs) return { done: { kind: "leased", untilMs: leaseUntilMs } };
    if (task.isCancelAsked) {
      const ended = (after: TaskItem): ClaimResult => ({ kind: "ended", status: "canceled", task: fromItem(after) });
      return { try: canceling(task, actor, ended) };
    }
    if (task.runAtMs > actor.atMs) return { done: { kind: "early", untilMs: task.runAtMs } };
    if (task.attempt >= task.maxAttempts) return { try: exhausting(task, actor) };
    if (request.lacksHandler) return { try: puttingOff(task, request.lacksHandler, actor) };
    return { try: winning(request, isUnchanged(task), task) };
  };

  /** `task`: as it is, when that is known. */
  const winning = (
    { id, worker, leaseMs, actor }: ClaimRequest,
    condition: Attempt<ClaimResult>["condition"],
    task?: TaskItem,
  ): Attempt<ClaimResult> => {
    const leaseUntilMs = actor.atMs + leaseMs;
    const standing = standingOf("due", leaseUntilMs + abandonedAfterMs, id);
    // A lease that ran out: the attempt before this one never told how it ended, and may be what ended its worker.
    const alone = task?.status === "running" ? { runsAlone: true } : {};
    // Due, and claimed before a sweeper came by.
    const queued = task?.status === "scheduled" ? [noteOf(actor, { to: "queued" })] : [];
    return {
      condition,
      change: {
        set: { status: "running", leaseUntilMs, ...standing, ...alone },
        keep: { startedAtMs: actor.atMs },
        add: { attempt: 1, claim: 1 },
        remove: ["progress"],
        notes: [...queued, noteOf(actor, { to: "running", worker })],
      },
      result: (won) => {
        const previous = won.attempt > 1 ? traceparentOf(won.timeline, -2) : null;
        return { kind: "won", claim: won.claim, previous, task: fromItem(won) };
      },
    };
  };

  /** The number of the claim is raised, too, so that a send from before is not taken for the next one. */
  const puttingOff = (task: TaskItem, { limitMs }: HandlerWait, actor: Actor): Attempt<ClaimResult> => {
    const dueMs = task.leaseUntilMs ?? task.runAtMs;
    const error = noHandlerError(task.type);
    if (actor.atMs - dueMs >= limitMs) return failing(task, actor, "no_handler", error);
    const untilMs = putOffUntil(dueMs, actor.atMs);
    const standing = standingOf("due", untilMs, task.pk);
    const isRunning = task.status === "running";
    const queued = task.status === "scheduled" ? [noteOf(actor, { to: "queued" })] : [];
    return {
      condition: isUnchanged(task),
      change: {
        set: { ...standing, ...(!isRunning && errorSet(error)), ...(queued.length > 0 && { status: "queued" }) },
        ...(!isRunning && { add: { claim: 1 } }),
        notes: queued,
      },
      result: () => ({ kind: "put_off", untilMs }),
    };
  };

  /** A task whose last attempt was begun and never told how it ended. */
  const exhausting = (task: TaskItem, actor: Actor): Attempt<ClaimResult> =>
    failing(task, actor, "never_finished", {
      type: "never_finished",
      message: `attempt ${task.attempt} never finished`,
    });

  const failing = (task: TaskItem, actor: Actor, reason: DeadReason, error: Failure): Attempt<ClaimResult> => {
    const crashed = task.status === "running" ? ({ outcome: "crashed" } as const) : {};
    return {
      condition: isUnchanged(task),
      change: {
        set: {
          status: "failed",
          ...errorSet(error),
          deadGroup: deadGroupOf(error),
          reason,
          endedAtMs: actor.atMs,
        },
        remove: ["leaseUntilMs"],
        notes: [noteOf(actor, { to: "failed", error, ...crashed })],
      },
      result: (failed) => ({ kind: "failed", reason, task: fromItem(failed) }),
    };
  };

  const canceling = <R>(task: TaskItem, actor: Actor, result: Attempt<R>["result"]): Attempt<R> => ({
    condition: isUnchanged(task),
    change: canceled(actor, task.status === "running"),
    result,
  });

  const canceled = (actor: Actor, wasRunning: boolean) => ({
    set: { status: "canceled", endedAtMs: actor.atMs, ttl: table.ttlOf(actor.atMs) },
    remove: ["leaseUntilMs", "lane", "place"],
    notes: [noteOf(actor, { to: "canceled", ...(wasRunning && { outcome: "crashed" as const }) })],
  });

  const extend = (leases: readonly Lease[], leaseMs: number, nowMs: number, context: Context): Promise<LeaseState[]> =>
    forEach(leases, async ({ id, claim: number }) => {
      const leaseUntilMs = nowMs + leaseMs;
      const standing = standingOf("due", leaseUntilMs + abandonedAfterMs, id);
      const update = toUpdate(id, { set: { leaseUntilMs, ...standing }, add: { version: 1 } }, runningUnder(number));
      const kept = await calls.update({ ...update, ReturnValues: "ALL_NEW" }, context);
      if (kept.kind === "refused") return "lost";
      return kept.item?.isCancelAsked ? "canceled" : "kept";
    });

  const finish = async (request: FinishRequest, context: Context): Promise<Ending["to"] | null> => {
    const { id, claim: number, ending, actor } = request;
    const decide = (task: TaskItem): Decision<Ending["to"] | null> => {
      if (task.claim !== number) return { done: null };
      if (task.status === "running") return { try: finishing(request, withoutFurtherAttempt(ending), "") };
      return { done: finishedBefore(toTimeline(task.timeline), ending, actor) };
    };
    const noCancel = isOver(ending) ? "" : " AND attribute_not_exists(#isCancelAsked)";
    const usual = finishing(request, ending, noCancel);
    // A worker that had no answer repeats its request.
    return (await changeTask(calls, id, usual, decide, context, tokenOf(request))) ?? null;
  };

  const finishing = (
    { id, claim: number, actor, progress }: FinishRequest,
    ending: Ending,
    furtherCondition: string,
  ): Attempt<Ending["to"] | null> => {
    const { to } = ending;
    const sendAtMs = sendAtAfter(ending, actor.atMs);
    const ttl = sendAtMs === null ? table.ttlOf(actor.atMs) : undefined;
    const kept = to === "succeeded" ? keepResult(calls.table, id, ending.result, ttl) : { set: {}, parts: [] };
    const error = "error" in ending ? ending.error : undefined;
    const set = {
      status: to,
      ...kept.set,
      ...(error && to !== "canceled" && errorSet(error)),
      ...(to === "failed" && { reason: ending.reason, deadGroup: deadGroupOf(ending.error) }),
      ...(to === "retrying" && { runAtMs: ending.runAtMs }),
      ...(to === "queued" && ending.runsAlone && { runsAlone: true }),
      ...(isOver(ending) && { endedAtMs: actor.atMs }),
      ...(sendAtMs !== null && standingOf("due", sendAtMs, id)),
      ...(ttl !== undefined && { ttl }),
      progress,
    };
    const remove = endingAttributes.filter((name) => !(name in set));
    const note = noteOf(actor, { to, outcome: outcomeOf(ending), ...(error && { error }), isOutcome: true });
    return {
      condition: { ...runningUnder(number), text: runningUnder(number).text + furtherCondition },
      change: { set, remove, notes: [note], ...(to === "queued" && { add: { attempt: -1 } }) },
      // Of a request that was repeated, the first time may have ended it otherwise.
      result: ({ status }) => (isEnding(status) ? status : to),
      ...(kept.parts.length > 0 && { parts: kept.parts }),
    };
  };

  const cancel = async (id: string, actor: Actor, context: Context): Promise<CancelResult> => {
    const usual: Attempt<CancelResult> = {
      condition: {
        text: "#status IN (:scheduled, :queued, :retrying)",
        values: { ":scheduled": "scheduled", ":queued": "queued", ":retrying": "retrying" },
      },
      change: canceled(actor, false),
      result: (task) => ({ kind: "canceled", task: fromItem(task) }),
    };
    const decide = (task: TaskItem): Decision<CancelResult> => {
      const { status } = task;
      if (isEnded(status) || status === "failed") return { done: { kind: "moved_on", status } };
      if (status !== "running") return { try: usual };
      const requested: Attempt<CancelResult> = {
        condition: { text: "#status = :running", values: { ":running": "running" } },
        change: { set: { isCancelAsked: true } },
        result: (asked) => ({ kind: "requested", task: fromItem(asked) }),
      };
      return { try: requested };
    };
    return (await changeTask(calls, id, usual, decide, context)) ?? { kind: "unknown" };
  };

  return { create, get, timeline, awaitEnd, awaitChange, claim, extend, noteProgress, finish, cancel };
}

function runningUnder(claim: number): Condition {
  return { text: "#claim = :isClaim AND #status = :running", values: { ":isClaim": claim, ":running": "running" } };
}

/** What an outcome writes or takes away. */
const endingAttributes = [
  "leaseUntilMs",
  "result",
  "error",
  "errorType",
  "reason",
  "endedAtMs",
  "runsAlone",
  "lane",
  "place",
] as const;

function isEnding(status: TaskStatus): status is Ending["to"] {
  return endings.some((to) => to === status);
}

const endings = ["succeeded", "retrying", "failed", "queued", "canceled"] as const satisfies Ending["to"][];

function isOver({ to }: Ending): boolean {
  return to !== "retrying" && to !== "queued";
}

function errorSet(error: Failure) {
  return { error: JSON.stringify(error), errorType: error.type };
}
