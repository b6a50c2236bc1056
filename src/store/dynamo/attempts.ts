/**
 * Attempts on DynamoDB: claimed, prolonged, finished. The usual case of each is one call whose condition is the expected
 * state. A failed condition returns the current item, from which the result is decided.
 */

import type { Context } from "@opentelemetry/api";
import { deadGroupOf } from "../../words/dead-group.ts";
import { settleEach } from "../../words/entry-result.ts";
import type { Failure } from "../../words/errors.ts";
import { type DeadReason, isEnded, type TaskStatus } from "../../words/task.ts";
import {
  type AttemptStore,
  abandonedAfterMs,
  type ClaimRequest,
  type ClaimResult,
  type Ending,
  type FinishRequest,
  finishedBefore,
  type HandlerWait,
  type Lease,
  type LeaseState,
  noHandlerError,
  outcomeOf,
  putOffUntil,
  sendAtAfter,
  withoutFurtherAttempt,
} from "../ports/attempts.ts";
import type { Actor } from "../ports/tasks.ts";
import { fromItem, keepResult, type TaskItem } from "./item.ts";
import { standingOf } from "./lanes.ts";
import {
  type Attempt,
  type Condition,
  changeTask,
  type Decision,
  type DynamoTable,
  forEach,
  isUnchanged,
  toUpdate,
} from "./table.ts";
import { canceled } from "./tasks.ts";
import { noteOf, toTimeline, traceparentOf } from "./timeline.ts";

export function createAttemptOperations(table: DynamoTable): AttemptStore {
  const { calls } = table;

  const claim = async (request: ClaimRequest): Promise<ClaimResult> => {
    const { id, actor, lacksHandler, context } = request;
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
    const decided = await changeTask<ClaimResult>(
      calls,
      id,
      usual,
      (task) => decideClaim(table, task, request),
      context,
    );
    return decided ?? { kind: "unknown" };
  };

  const noteProgress: AttemptStore["noteProgress"] = async (reports, context) => {
    await forEach(reports, ({ id, claim: number, share }) =>
      calls.update(toUpdate(id, { set: { progress: share } }, runningUnder(number)), context),
    );
  };

  const extend = (leases: readonly Lease[], leaseMs: number, nowMs: number, context: Context): Promise<LeaseState[]> =>
    forEach(leases, async ({ id, claim: number }) => {
      const leaseUntilMs = nowMs + leaseMs;
      const standing = standingOf("due", leaseUntilMs + abandonedAfterMs, id);
      const update = toUpdate(id, { set: { leaseUntilMs, ...standing }, add: { version: 1 } }, runningUnder(number));
      const kept = await calls.update({ ...update, ReturnValues: "ALL_NEW" }, context);
      if (kept.kind === "refused") return "lost";
      return kept.item?.isCancelAsked ? "canceled" : "kept";
    });

  const finish = async (request: FinishRequest): Promise<Ending["to"] | null> => {
    const { id, claim: number, ending, actor, context } = request;
    const decide = (task: TaskItem): Decision<Ending["to"] | null> => {
      if (task.claim !== number) return { done: null };
      if (task.status === "running") return { try: finishing(request, withoutFurtherAttempt(ending), "") };
      return { done: finishedBefore(toTimeline(task.timeline), ending, actor) };
    };
    const noCancel = isOver(ending) ? "" : " AND attribute_not_exists(#isCancelAsked)";
    const usual = finishing(request, ending, noCancel);
    return (await changeTask(calls, id, usual, decide, context)) ?? null;
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

  return {
    entriesAreApart: true,
    claim: (requests) => settleEach(requests, claim),
    extend,
    noteProgress,
    finish: (requests) => settleEach(requests, finish),
  };
}

function decideClaim(table: DynamoTable, task: TaskItem, request: ClaimRequest): Decision<ClaimResult> {
  const { status, leaseUntilMs = 0 } = task;
  const { actor } = request;
  if (isEnded(status)) return { done: { kind: "ended", status } };
  if (status === "failed") {
    return { done: { kind: "failed", reason: task.reason ?? "attempts_exhausted", task: fromItem(task) } };
  }
  if (status === "running" && leaseUntilMs > actor.atMs) return { done: { kind: "leased", untilMs: leaseUntilMs } };
  if (task.isCancelAsked) {
    const canceling: Attempt<ClaimResult> = {
      condition: isUnchanged(task),
      change: canceled(table, actor, task.status === "running"),
      result: (after) => ({ kind: "ended", status: "canceled", task: fromItem(after) }),
    };
    return { try: canceling };
  }
  // A queued task was due before: a clock that was set back does not change that.
  const isWaiting = status === "scheduled" || status === "retrying";
  if (isWaiting && task.runAtMs > actor.atMs) return { done: { kind: "early", untilMs: task.runAtMs } };
  if (task.attempt >= task.maxAttempts) return { try: exhausting(task, actor) };
  if (request.lacksHandler) return { try: puttingOff(task, request.lacksHandler, actor) };
  return { try: winning(request, isUnchanged(task), task) };
}

/** `task`: as it is, when that is known. */
function winning(
  { id, worker, leaseMs, actor }: ClaimRequest,
  condition: Attempt<ClaimResult>["condition"],
  task?: TaskItem,
): Attempt<ClaimResult> {
  const leaseUntilMs = actor.atMs + leaseMs;
  const standing = standingOf("due", leaseUntilMs + abandonedAfterMs, id);
  // The lease ran out: the attempt before this one never reported an outcome, and may have ended its worker.
  const alone = task?.status === "running" ? { runsAlone: true } : {};
  return {
    condition,
    change: {
      set: { status: "running", leaseUntilMs, ...standing, ...alone },
      keep: { startedAtMs: actor.atMs },
      add: { attempt: 1, claim: 1 },
      remove: ["progress"],
      notes: [...dueNotes(task, actor), noteOf(actor, { to: "running", worker })],
    },
    result: (won) => {
      const previous = won.attempt > 1 ? traceparentOf(won.timeline, -2) : null;
      return { kind: "won", claim: won.claim, previous, task: fromItem(won) };
    },
  };
}

/** The number of the claim is raised, too, so that a send from before is not taken for the next one. */
function puttingOff(task: TaskItem, { limitMs }: HandlerWait, actor: Actor): Attempt<ClaimResult> {
  const dueMs = task.leaseUntilMs ?? task.runAtMs;
  const error = noHandlerError(task.type);
  if (actor.atMs - dueMs >= limitMs) return failing(task, actor, "no_handler", error);
  const untilMs = putOffUntil(dueMs, actor.atMs);
  const standing = standingOf("due", untilMs, task.pk);
  const isRunning = task.status === "running";
  const notes = dueNotes(task, actor);
  return {
    condition: isUnchanged(task),
    change: {
      set: { ...standing, ...(!isRunning && errorSet(error)), ...(notes.length > 0 && { status: "queued" }) },
      ...(!isRunning && { add: { claim: 1 } }),
      notes,
    },
    result: () => ({ kind: "put_off", untilMs }),
  };
}

/** A task whose last attempt was begun and never reported an outcome. */
function exhausting(task: TaskItem, actor: Actor): Attempt<ClaimResult> {
  return failing(task, actor, "never_finished", {
    type: "never_finished",
    message: `attempt ${task.attempt} never finished`,
  });
}

function failing(task: TaskItem, actor: Actor, reason: DeadReason, error: Failure): Attempt<ClaimResult> {
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
      notes: [...dueNotes(task, actor), noteOf(actor, { to: "failed", error, ...crashed })],
    },
    result: (failed) => ({ kind: "failed", reason, task: fromItem(failed) }),
  };
}

/** A scheduled task that is due goes through the queue, though no sweeper has taken it. */
function dueNotes(task: TaskItem | undefined, actor: Actor): string[] {
  return task?.status === "scheduled" ? [noteOf(actor, { to: "queued" })] : [];
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
