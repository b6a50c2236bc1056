/** The types that workers have registered, as the RPC tells them. */

import { z } from "zod";
import type { TaskTypeJson } from "../gen/tasks_pb.ts";
import { parseMessage, type RpcHandlers } from "../rpc/call.ts";
import type { TypeStore } from "../store/ports/types.ts";
import type { TaskType } from "../words/task.ts";

const listTaskTypesRequest = z.strictObject({});

export function createTypesHandler(store: Pick<TypeStore, "listTypes">): RpcHandlers["ListTaskTypes"] {
  return async (message, { context }) => {
    parseMessage("ListTaskTypes", message, (it) => listTaskTypesRequest.safeParse(it));
    const types = await store.listTypes(context);
    return { items: types.toSorted((a, b) => (a.type < b.type ? -1 : 1)).map(toTypeJson) };
  };
}

function toTypeJson({ type, maxAttempts, timeoutMs, isolation, payloadSchema }: TaskType): TaskTypeJson {
  return {
    type,
    ...(maxAttempts !== null && { maxAttempts }),
    ...(timeoutMs !== null && { timeout: `${timeoutMs / 1000}s` }),
    isolation,
    ...(payloadSchema !== null && { payloadSchema }),
  };
}
