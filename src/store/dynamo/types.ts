/** The task types that workers have registered, on DynamoDB: one item, an attribute for each type. */

import type { Context } from "@opentelemetry/api";
import type { TaskType } from "../../words/task.ts";
import type { TypeStore } from "../ports/types.ts";
import type { DynamoTable } from "./table.ts";

const pk = "types";
/** Begins an attribute's name, so that a type may be called as it likes. */
const prefix = "type:";
/** Characters of all schemas together: the item may have 400 KB (DynamoDB quotas, "Item size"). */
const maxSchemas = 90_000;

export function createTypeOperations({ calls }: DynamoTable): TypeStore {
  return {
    registerTypes: async (types: readonly TaskType[], context: Context): Promise<void> => {
      if (types.length === 0) return;
      await calls.update(
        {
          Key: { pk },
          UpdateExpression: `SET ${types.map((_, n) => `#t${n} = :t${n}`).join(", ")}`,
          ExpressionAttributeNames: Object.fromEntries(types.map(({ type }, n) => [`#t${n}`, prefix + type])),
          ExpressionAttributeValues: Object.fromEntries(withinItem(types).map((type, n) => [`:t${n}`, type])),
        },
        context,
      );
    },
    listTypes: async (context: Context): Promise<TaskType[]> => {
      const item = (await calls.get({ Key: { pk }, ConsistentRead: true }, context)) ?? {};
      const kept = Object.entries(item).filter(([name]) => name.startsWith(prefix));
      // Only `registerTypes` writes such attributes.
      const types = kept.map(([, type]) => type as TaskType);
      return types
        .map(({ type, maxAttempts, timeoutMs, isolation, payloadSchema = null }) => ({
          type,
          maxAttempts,
          timeoutMs,
          isolation,
          payloadSchema,
        }))
        .sort((a, b) => (a.type < b.type ? -1 : 1));
    },
  };
}

/** Without the schemas that do not fit any more: their payloads are checked before their handlers run, and no earlier. */
function withinItem(types: readonly TaskType[]): TaskType[] {
  let left = maxSchemas;
  return types.map((type) => {
    left -= type.payloadSchema?.length ?? 0;
    return left < 0 ? { ...type, payloadSchema: null } : type;
  });
}
