/**
 * One DynamoDB table as the operations of every noun see it, and the conditional change of a task's item.
 *
 * The key `pk` is a task's id. Other items have a prefix: `key#` idempotency keys, `result#` long results, `redrive#`
 * redrives, `redriven#` the tasks that each of their steps moved, `unreadable#` messages that name no task, `schedule#`
 * schedules; and one item is `types`.
 *
 * A change that was decided from the state of an item is written only if the item is still in that state. If it is not, the
 * failed condition returns the current item, and the change is decided again.
 */

import { TaskError } from "../../words/errors.ts";
import { type Caller, type DynamoCalls, namesIn, type TransactItems, type UpdateInput } from "./calls.ts";
import { isItemFull } from "./errors.ts";
import type { TaskItem } from "./item.ts";
import { forgetOldest } from "./timeline.ts";

export interface DynamoTable {
  calls: DynamoCalls;
  /** When DynamoDB may remove what ended then, in seconds since the epoch; undefined: never. */
  ttlOf(endedAtMs: number): number | undefined;
}

/** `retentionMs`: how long what has ended is kept; 0: for ever. */
export function createDynamoTable(calls: DynamoCalls, retentionMs: number): DynamoTable {
  return {
    calls,
    ttlOf: (endedAtMs) => (retentionMs === 0 ? undefined : Math.ceil((endedAtMs + retentionMs) / 1000)),
  };
}

/** Runs `work` on each of them, a bounded number at once; the results are in their order. */
export async function forEach<T, R>(all: readonly T[], work: (one: T) => Promise<R>): Promise<R[]> {
  const results: R[] = [];
  for (let from = 0; from < all.length; from += atOnce) {
    results.push(...(await Promise.all(all.slice(from, from + atOnce).map(work))));
  }
  return results;
}

/** Fewer than there are connections, so that upkeep leaves room for tasks. */
const atOnce = 32;

let lastToken = 0;
const processName = crypto.randomUUID().slice(0, 13);

/**
 * Names one call, so that its repetition by the SDK finds its own change. Not a secret: it has to differ from the tokens of
 * all other calls on the same item.
 */
export function newToken(): string {
  lastToken += 1;
  return `${processName}.${lastToken.toString(36)}`;
}

/** What becomes of an item's attributes. */
export interface Change {
  /** What is undefined is left as it is. */
  set?: Record<string, unknown>;
  /** Set only where there is none yet. */
  keep?: Record<string, unknown>;
  add?: Record<string, number>;
  remove?: readonly string[];
  /** Entries for the end of the timeline. */
  notes?: readonly string[];
}

/** A DynamoDB expression: attributes are `#name`, values are `:name`. */
export interface Condition {
  text: string;
  values: Record<string, unknown>;
}

/** A change to try, and what it means once it is written. `task`: the item after it. */
export interface Attempt<R> {
  change: Change;
  condition: Condition;
  result(task: TaskItem): R;
  /** Long texts of the task, written with the change or not at all. */
  parts?: TransactItems;
}

/** What to do about an item that is in another state than expected. */
export type Decision<R> = { done: R } | { try: Attempt<R> };

/** The item may change this often while it is being changed. */
const maxAttempts = 20;

export function isUnchanged({ version }: TaskItem): Condition {
  return { text: "#version = :isVersion", values: { ":isVersion": version } };
}

/**
 * Tries `first`, and then what `decide` makes of the item that did not meet its condition; undefined when there is no such
 * task. All tries have one token, by which a call that the SDK repeated, because its answer was lost, finds its own change.
 */
export async function changeTask<R>(
  calls: DynamoCalls,
  id: string,
  first: Attempt<R>,
  decide: (task: TaskItem) => Decision<R>,
  caller: Caller,
): Promise<R | undefined> {
  const token = newToken();
  let attempt = first;
  for (let tries = 0; tries < maxAttempts; tries++) {
    const written = await write(calls, id, attempt, token, caller);
    // The items of tasks' ids are tasks.
    const task = written.item as TaskItem | undefined;
    if (written.kind === "done" || task?.token === token) return task && attempt.result(task);
    if (!task) return undefined;
    const decision = decide(task);
    if ("done" in decision) return decision.done;
    attempt = decision.try;
  }
  throw new TaskError("unavailable", `the task changed ${maxAttempts} times while it was being changed`);
}

async function write<R>(calls: DynamoCalls, id: string, attempt: Attempt<R>, token: string, caller: Caller) {
  const change: Change = {
    ...attempt.change,
    set: { ...attempt.change.set, token },
    add: { version: 1, ...attempt.change.add },
  };
  const update = toUpdate(id, change, attempt.condition);
  if (attempt.parts) return writeWithParts(calls, id, update, attempt.parts, caller);
  try {
    return await calls.update({ ...update, ReturnValues: "ALL_NEW" }, caller);
  } catch (error) {
    if (!isItemFull(error) || !(await makeRoom(calls, id, caller))) throw error;
    return calls.update({ ...update, ReturnValues: "ALL_NEW" }, caller);
  }
}

async function writeWithParts(
  calls: DynamoCalls,
  id: string,
  update: UpdateInput,
  parts: TransactItems,
  caller: Caller,
) {
  const Update = { ...update, TableName: calls.table, ReturnValuesOnConditionCheckFailure: "ALL_OLD" } as const;
  // Every change has an expression.
  const UpdateExpression = update.UpdateExpression ?? "";
  const result = await calls.transact([{ Update: { ...Update, UpdateExpression } }, ...parts], caller);
  if (result.kind === "refused") return { kind: "refused" as const, item: result.parts[0]?.item };
  return { kind: "done" as const, item: await calls.get({ Key: { pk: id }, ConsistentRead: true }, caller) };
}

/** A timeline that fills the item is cut; false when that is not what fills it. */
async function makeRoom(calls: DynamoCalls, id: string, caller: Caller): Promise<boolean> {
  const item = await calls.get({ Key: { pk: id }, ConsistentRead: true }, caller);
  const task = item as TaskItem | undefined;
  if (!task) return false;
  if (task.timeline.length < leastNotes) return false;
  const timeline = forgetOldest(task.timeline);
  await calls.update(toUpdate(id, { set: { timeline }, add: { version: 1 } }, isUnchanged(task)), caller);
  return true;
}

/** Fewer than these fill no item. */
const leastNotes = 8;

/** The parts of an UpdateItem. Every attribute goes by a placeholder: DynamoDB reserves hundreds of words. */
export function toUpdate(pk: string, change: Change, condition: Condition): UpdateInput {
  const { set = {}, keep = {}, add = {}, remove = [], notes = [] } = change;
  const values: Record<string, unknown> = { ...condition.values };
  const sets: string[] = [];
  const bind = (name: string, value: unknown): string => {
    values[`:set_${name}`] = value;
    return `:set_${name}`;
  };
  for (const [name, value] of Object.entries(set))
    if (value !== undefined) sets.push(`#${name} = ${bind(name, value)}`);
  for (const [name, value] of Object.entries(keep)) {
    sets.push(`#${name} = if_not_exists(#${name}, ${bind(name, value)})`);
  }
  for (const [name, value] of Object.entries(add)) sets.push(`#${name} = #${name} + ${bind(name, value)}`);
  if (notes.length > 0) sets.push(`#timeline = list_append(#timeline, ${bind("timeline", notes)})`);
  const removal = remove.length > 0 ? ` REMOVE ${remove.map((name) => `#${name}`).join(", ")}` : "";
  const UpdateExpression = `SET ${sets.join(", ")}${removal}`;
  return {
    Key: { pk },
    UpdateExpression,
    ConditionExpression: condition.text,
    ExpressionAttributeNames: namesIn(UpdateExpression, condition.text),
    ExpressionAttributeValues: values,
  };
}
