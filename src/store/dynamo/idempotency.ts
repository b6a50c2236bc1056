/** Tasks that are made under an idempotency key: the key and the task are one transaction. */

import type { Context } from "@opentelemetry/api";
import type { CreateResult, NewTask } from "../ports/tasks.ts";
import type { TransactResult } from "./calls.ts";
import { alreadyThere } from "./errors.ts";
import { fromItem, type TaskItem } from "./item.ts";
import { withResult } from "./parts.ts";
import type { DynamoTable } from "./table.ts";

interface KeyItem {
  pk: string;
  digest: string;
  taskId: string;
  ttl?: number;
}

/**
 * The key lives as long as the retention says, from the task's creation on; DynamoDB removes it some time after that, so
 * one that is over counts as gone.
 */
export async function createIdempotent(
  table: DynamoTable,
  task: TaskItem,
  { key, digest }: NonNullable<NewTask["idempotency"]>,
  context: Context,
): Promise<CreateResult> {
  const { calls } = table;
  const keyItem = { pk: `key#${key}`, digest, taskId: task.pk, ttl: table.ttlOf(task.createdAtMs) };
  const result = await calls.transact(
    [
      {
        Put: {
          TableName: calls.table,
          Item: keyItem,
          ConditionExpression: "attribute_not_exists(pk) OR #ttl < :now",
          ExpressionAttributeNames: { "#ttl": "ttl" },
          ExpressionAttributeValues: { ":now": Math.floor(task.createdAtMs / 1000) },
          ReturnValuesOnConditionCheckFailure: "ALL_OLD",
        },
      },
      { Put: { TableName: calls.table, Item: task, ConditionExpression: "attribute_not_exists(pk)" } },
    ],
    context,
  );
  if (result.kind === "done") return { kind: "created", task: fromItem(task) };
  return answerOf(table, task, digest, result, context);
}

async function answerOf(
  { calls }: DynamoTable,
  task: TaskItem,
  digest: string,
  { parts }: Extract<TransactResult, { kind: "refused" }>,
  context: Context,
): Promise<CreateResult> {
  // The items of these keys are such.
  const known = parts[0]?.item as KeyItem | undefined;
  if (!known) throw alreadyThere(task.pk);
  if (known.digest !== digest) return { kind: "mismatch" };
  const found = await calls.get({ Key: { pk: known.taskId }, ConsistentRead: true }, context);
  if (!found) return { kind: "mismatch" };
  return { kind: "replayed", task: fromItem(await withResult(calls, found as unknown as TaskItem, context)) };
}
