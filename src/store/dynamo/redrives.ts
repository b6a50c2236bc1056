/**
 * Redrives on DynamoDB: ordered, proposed step by step, committed with the tasks that they move, in one transaction. The
 * running ones stand in a lane of the index by the time at which their next step is due.
 */

import type { Context } from "@opentelemetry/api";
import { TaskError } from "../../words/errors.ts";
import {
  countsAfter,
  fromRedriveRow,
  maxFollowed,
  nextStepAt,
  type Redrive,
  type RedriveCommand,
  type RedriveCommit,
  type RedriveOrder,
  type RedriveOutcome,
  type RedriveRow,
  type RedriveStep,
  type RedriveStore,
  redriveGuard,
  statusAfter,
  stepSize,
  toOutcome,
  toRedriveRow,
} from "../ports/redrives.ts";
import type { DueTask } from "../ports/sends.ts";
import type { Caller, TransactItems } from "./calls.ts";
import { deadWalk, readDead } from "./dead-letters.ts";
import { alreadyThere } from "./errors.ts";
import { type IndexedTask, type TaskItem, toDueTask } from "./item.ts";
import { eachInLanes, endOf, placeOf, redriveLane, standingOf, walkLanes } from "./lanes.ts";
import { type DynamoTable, isUnchanged, newToken, toUpdate } from "./table.ts";
import { noteOf, traceparentOf } from "./timeline.ts";

/** A transaction takes 100 items and 4 MB (DynamoDB, "Service quotas"); the redrive itself is one of them. */
const maxStep = 90;
const maxStepBytes = 3_000_000;

/** Somebody else changed the redrive, or a task of the step: both are read again. */
const commitAttempts = 10;

export function createRedriveOperations(table: DynamoTable): RedriveStore {
  const { calls } = table;

  const countRedrive = async ({ selection, isForced }: RedriveOrder, caller: Caller) => {
    const guard = guardOf(isForced);
    if (selection.kind === "ids") {
      const dead = await readDead(table, selection.ids, caller);
      const open = new Set(dead.filter(({ redrives }) => redrives < guard).map(({ pk }) => pk));
      return { matched: selection.ids.length, refused: selection.ids.filter((id) => !open.has(id)).length };
    }
    let matched = 0;
    let refused = 0;
    await eachInLanes<IndexedTask>(table, deadWalk(selection), caller, (page) => {
      matched += page.length;
      refused += page.filter(({ redrives }) => redrives >= guard).length;
    });
    return { matched, refused };
  };

  const startRedrive = async (order: RedriveOrder, nowMs: number, context: Context): Promise<Redrive> => {
    const { matched } = await countRedrive(order, context);
    const row = toRedriveRow(order, matched, nowMs);
    const Item = { ...toItem(table, row), token: newToken() };
    const put = await calls.put({ Item, ConditionExpression: "attribute_not_exists(pk)" }, context);
    if (put.kind === "refused" && put.item?.token !== Item.token) throw alreadyThere("redrive", order.id);
    return fromRedriveRow(row);
  };

  const getRedrive = async (id: string, context: Context): Promise<Redrive | undefined> => {
    const row = await readRow(table, id, context);
    return row && fromRedriveRow(row);
  };

  const redriveOutcome = async (id: string, context: Context): Promise<RedriveOutcome> => {
    const steps = (await readRow(table, id, context))?.step ?? 0;
    const numbers = Array.from({ length: Math.min(steps, maxFollowed) }, (_, number) => number);
    const noted = await calls.batchGet(
      numbers.map((number) => followedKeyOf(id, number)),
      {},
      context,
    );
    // The items of such keys are what `following` wrote.
    const followed = noted as unknown as FollowedStep[];
    const movedAt = new Map(followed.flatMap(({ ids, movedAtMs }) => ids.map((taskId) => [taskId, movedAtMs])));
    const looked = {
      ProjectionExpression: "pk, #status, redrivenAtMs",
      ExpressionAttributeNames: { "#status": "status" },
    };
    const tasks = await calls.batchGet([...movedAt.keys()], looked, context);
    return toOutcome(
      (tasks as unknown as Pick<TaskItem, "pk" | "status" | "redrivenAtMs">[]).map((task) => ({
        movedAtMs: movedAt.get(task.pk) ?? 0,
        status: task.status,
        redrivenAtMs: task.redrivenAtMs ?? null,
      })),
    );
  };

  const controlRedrive = async (id: string, command: RedriveCommand, nowMs: number, context: Context) => {
    const token = newToken();
    for (let attempt = 0; attempt < commitAttempts; attempt++) {
      const row = await readRow(table, id, context);
      if (!row) return undefined;
      if (row.ended_at !== null) return { redrive: fromRedriveRow(row), isTaken: false };
      const after = {
        ...row,
        status: statusAfter[command],
        next_at: Math.max(row.next_at, nowMs),
        ended_at: command === "cancel" ? nowMs : null,
      };
      const written = await calls.update(changing(table, { ...after, token }, row.version), context);
      // A call that was repeated because its answer was lost finds its own change.
      const isDone = written.kind === "done" || written.item?.token === token;
      if (isDone) return { redrive: fromRedriveRow(after), isTaken: true };
    }
    throw new TaskError("unavailable", `the redrive changed ${commitAttempts} times while it was told to ${command}`);
  };

  return {
    countRedrive,
    startRedrive,
    getRedrive,
    redriveOutcome,
    controlRedrive,
    ...createProposals(table),
    ...createCommits(table),
  };
}

function createProposals(table: DynamoTable): Pick<RedriveStore, "proposeRedrive"> {
  const { calls } = table;

  const proposeRedrive = async (limit: number, nowMs: number): Promise<RedriveStep | { waitMs: number | null }> => {
    const row = await nextRow();
    if (!row) return { waitMs: null };
    if (row.next_at > nowMs) return { waitMs: row.next_at - nowMs };
    const redrive = fromRedriveRow(row);
    const { tasks, refused, cursor, isLast } = await nextOf(
      redrive,
      row.cursor,
      Math.min(maxStep, stepSize(redrive, limit)),
    );
    const open = tasks.filter(({ redrives }) => redrives < guardOf(redrive.isForced));
    return {
      redrive,
      number: row.step,
      candidates: open.map((task) => ({
        id: task.pk,
        type: task.type,
        correlationId: task.correlationId,
        origin: JSON.parse(task.origin),
        deathTraceparent: traceparentOf(task.timeline, -1),
      })),
      refused: refused + tasks.length - open.length,
      cursor,
      isLast,
    };
  };

  /** The index may still show one that has stopped. */
  const nextRow = async (): Promise<RedriveRow | undefined> => {
    const listed = await walkLanes<{ pk: string; place: string; lane: string }>(
      table,
      { lanes: [redriveLane], limit: maxListed },
      null,
    );
    const items = await calls.batchGet(
      listed.map(({ pk }) => pk),
      { ConsistentRead: true },
      null,
    );
    const running = (items as unknown as RedriveRow[]).filter(({ status }) => status === "running");
    return running.sort((a, b) => a.next_at - b.next_at || (a.id < b.id ? -1 : 1))[0];
  };

  /** Oldest death first; a task that dies again after the order is not the order's. */
  const nextOf = async ({ selection, createdAtMs }: Redrive, cursor: string, limit: number) => {
    if (selection.kind === "ids") {
      const from = Number(cursor || 0);
      const named = selection.ids.slice(from, from + limit);
      const dead = await readDead(table, named, null);
      const byId = new Map(dead.filter(({ diedAtMs = 0 }) => diedAtMs <= createdAtMs).map((task) => [task.pk, task]));
      const ids = fitting(named, (id) => byId.get(id));
      const tasks = ids.flatMap((id) => byId.get(id) ?? []);
      const to = from + ids.length;
      return { tasks, refused: ids.length - tasks.length, cursor: String(to), isLast: to >= selection.ids.length };
    }
    const { to, ...walk } = deadWalk(selection);
    const until = endOf(createdAtMs);
    const upTo = { to: to !== undefined && to < until ? to : until, limit, ...(cursor && { from: `${cursor}~` }) };
    const listed = await walkLanes<IndexedTask>(table, { ...walk, ...upTo }, null);
    const dead = await readDead(
      table,
      listed.map(({ pk }) => pk),
      null,
    );
    const byId = new Map(dead.filter(({ diedAtMs = 0 }) => diedAtMs <= createdAtMs).map((task) => [task.pk, task]));
    const taken = fitting(listed, ({ pk }) => byId.get(pk));
    return {
      // The index may still show what has come back.
      tasks: taken.flatMap(({ pk }) => byId.get(pk) ?? []),
      refused: 0,
      cursor: taken.at(-1)?.place ?? cursor,
      isLast: taken.length === listed.length && listed.length < limit,
    };
  };

  return { proposeRedrive };
}

function createCommits(table: DynamoTable): Pick<RedriveStore, "commitRedrive"> {
  const { calls } = table;

  const commitRedrive = async (commit: RedriveCommit, context: Context): Promise<DueTask[] | undefined> => {
    for (let attempt = 0; attempt < commitAttempts; attempt++) {
      const row = await readRow(table, commit.redriveId, context);
      if (row?.status !== "running" || row.step !== commit.step.number) return undefined;
      const dead = await readDead(
        table,
        commit.moves.map(({ id }) => id),
        context,
      );
      const byId = new Map(
        dead.filter(({ diedAtMs = 0 }) => diedAtMs <= row.created_at).map((task) => [task.pk, task]),
      );
      const revivals = commit.moves.flatMap((move) => {
        const task = byId.get(move.id);
        // A task that is named twice comes back once.
        byId.delete(move.id);
        return task ? [reviving(task, move, { commit, payload: row.payload ?? null })] : [];
      });
      const room = Math.max(0, maxFollowed - row.moved);
      const followed = revivals.slice(0, room).map(({ sent }) => sent.id);
      const after = { ...afterStep(row, commit, revivals.length), token: newToken() };
      const stepped = changing(table, after, row.version);
      const written = await calls.transact(
        [
          { Update: inTransaction(stepped) },
          ...revivals.map(({ part }) => part),
          ...(followed.length > 0 ? [{ Put: following(commit, followed) }] : []),
        ],
        context,
      );
      if (written.kind === "done") return revivals.map(({ sent }) => sent);
    }
    return undefined;
  };

  const afterStep = (row: RedriveRow, commit: RedriveCommit, revived: number) => ({
    ...row,
    ...countsAfter(row, commit, revived),
    status: commit.step.isLast ? ("completed" as const) : ("running" as const),
    step: row.step + 1,
    cursor: commit.step.cursor,
    next_at: nextStepAt(row, revived, commit.nowMs),
    ended_at: commit.step.isLast ? commit.nowMs : null,
  });

  /** For the question what has become of them. */
  const following = ({ redriveId, step, nowMs }: RedriveCommit, ids: string[]) => {
    const noted: FollowedStep = { pk: followedKeyOf(redriveId, step.number), ids, movedAtMs: nowMs };
    const ttl = table.ttlOf(nowMs);
    return { TableName: calls.table, Item: { ...noted, ...(ttl !== undefined && { ttl }) } };
  };

  const reviving = (
    task: TaskItem,
    { origin, actor }: RedriveCommit["moves"][number],
    { commit, payload }: { commit: RedriveCommit; payload: string | null },
  ) => {
    const change = {
      ...(payload !== null && { payload }),
      status: "queued",
      token: newToken(),
      attempt: 0,
      runAtMs: actor.atMs,
      redrivenAtMs: actor.atMs,
      redriveOrigin: JSON.stringify(origin),
      redrivenFrom: traceparentOf(task.timeline, -1),
      ...standingOf("due", commit.nowMs + commit.sendWithinMs, task.pk),
    } as const;
    const update = toUpdate(
      task.pk,
      { set: change, add: { version: 1, redrives: 1 }, remove: forgotten, notes: [noteOf(actor, { to: "queued" })] },
      isUnchanged(task),
    );
    return { part: { Update: inTransaction(update) }, sent: toDueTask({ ...task, ...change }) };
  };

  const inTransaction = (update: ReturnType<typeof toUpdate>): NonNullable<TransactItems[number]["Update"]> => ({
    ...update,
    TableName: calls.table,
    UpdateExpression: update.UpdateExpression ?? "",
  });

  return { commitRedrive };
}

function toItem({ ttlOf }: DynamoTable, row: RedriveRow) {
  return {
    ...row,
    pk: keyOf(row.id),
    version: 1,
    ...(row.status === "running" && { lane: redriveLane, place: placeOf(row.next_at, row.id) }),
    ...(row.ended_at !== null && { ttl: ttlOf(row.ended_at) }),
  };
}

async function readRow({ calls }: DynamoTable, id: string, caller: Caller): Promise<KeptRow | undefined> {
  const item = await calls.get({ Key: { pk: keyOf(id) }, ConsistentRead: true }, caller);
  if (!item) return undefined;
  const { pk: _, lane: __, place: ___, ttl: ____, ...row } = item;
  // The items of such keys are what `toItem` wrote.
  return row as unknown as KeptRow;
}

/** The redrive as `after` has it, if it is still of that version. */
function changing(table: DynamoTable, after: RedriveRow & { token: string }, version: number) {
  const { pk, version: _, ...set } = toItem(table, after);
  const remove = after.status === "running" ? [] : ["lane", "place"];
  const condition = { text: "#version = :isVersion", values: { ":isVersion": version } };
  return toUpdate(pk, { set, add: { version: 1 }, remove }, condition);
}

/** A row as it is kept: with the fence of its changes. */
type KeptRow = RedriveRow & { version: number };

/** Running at the same time; those that are due later wait their turn. */
const maxListed = 100;

/** What belongs to the life that ended. */
const forgotten = [
  "error",
  "errorType",
  "reason",
  "endedAtMs",
  "diedAtMs",
  "deadGroup",
  "runsAlone",
  "isCancelAsked",
  "ttl",
] as const;

function guardOf(isForced: boolean): number {
  return isForced ? Number.MAX_SAFE_INTEGER : redriveGuard;
}

function keyOf(id: string): string {
  return `redrive#${id}`;
}

/** Beside the redrive, for each of its steps: an item has room for the ids of a step, not for those of all. */
interface FollowedStep {
  pk: string;
  ids: string[];
  movedAtMs: number;
}

function followedKeyOf(id: string, step: number): string {
  return `redriven#${id}#${step}`;
}

/** As many of them, from the first on, as one transaction can write; one at least. */
function fitting<T>(all: readonly T[], taskOf: (one: T) => TaskItem | undefined): T[] {
  let bytes = 0;
  const end = all.findIndex((one, n) => {
    const task = taskOf(one);
    bytes += task ? Buffer.byteLength(task.payload) + itemRestBytes : 0;
    return n > 0 && bytes > maxStepBytes;
  });
  return all.slice(0, end === -1 ? all.length : end);
}

/** What an item has besides its payload, at most by far most of the time. */
const itemRestBytes = 16 * 1024;
