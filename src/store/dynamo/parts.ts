/**
 * Results that are too long for their task's item, which may have 400 KB for everything: bytes in items of their own,
 * written in one transaction with the outcome. A task of which nobody asks the result costs no more for it.
 */

import { maxResultBytesOnDynamo } from "../../config.ts";
import { TaskError } from "../../words/errors.ts";
import type { Caller, DynamoCalls, TransactItems } from "./calls.ts";
import type { TaskItem } from "./item.ts";

/** What is longer than this stands apart: each change of a task costs capacity for all that stands in its item. */
const maxInlineBytes = 32 * 1024;
const partBytes = 350 * 1024;

/** A result as its item keeps it. Throws `internal` when no transaction could hold it. */
export interface KeptResult {
  set: Record<string, unknown>;
  parts: TransactItems;
}

export function keepResult(table: string, id: string, result: string, ttl: number | undefined): KeptResult {
  const bytes = Buffer.from(result);
  if (bytes.length <= maxInlineBytes) return { set: { result }, parts: [] };
  const count = Math.ceil(bytes.length / partBytes);
  if (bytes.length > maxResultBytesOnDynamo) {
    throw new TaskError("internal", `a result of ${bytes.length} bytes cannot be kept: the store takes up to 3.5 MB`);
  }
  const parts = Array.from({ length: count }, (_, n) => ({
    Put: {
      TableName: table,
      Item: { pk: keyOf(id, n), bytes: bytes.subarray(n * partBytes, (n + 1) * partBytes), ttl },
    },
  }));
  return { set: { resultParts: count }, parts };
}

/** The task's item with its whole result. */
export async function withResult(calls: DynamoCalls, item: TaskItem, caller: Caller): Promise<TaskItem> {
  const { pk, resultParts } = item;
  if (resultParts === undefined) return item;
  const keys = Array.from({ length: resultParts }, (_, n) => keyOf(pk, n));
  const found = await calls.batchGet(keys, { ConsistentRead: true }, caller);
  // Only `keepResult` writes items of such keys.
  const bytes = new Map(found.map((part) => [part.pk, part.bytes as Uint8Array]));
  return { ...item, result: Buffer.concat(keys.map((key) => bytes.get(key) ?? new Uint8Array())).toString() };
}

function keyOf(id: string, part: number): string {
  return `result#${id}#${part}`;
}
