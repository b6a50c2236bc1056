/** The types that workers have registered, as the RPC tells them. */

import { z } from "zod";
import { toTaskType } from "../api/task-type.ts";
import type { RpcHandler } from "../rpc/call.ts";
import type { Store } from "../store/ports/store.ts";
import { writeJson } from "../words/json-text.ts";
import { parseRequest } from "./requests.ts";

const listTaskTypes = z.strictObject({});

export function createTypesHandler(store: Pick<Store, "listTypes">): RpcHandler {
  return async (message, { context }) => {
    parseRequest("ListTaskTypes", listTaskTypes, message);
    const types = await store.listTypes(context);
    const sorted = types.toSorted((a, b) => (a.type < b.type ? -1 : 1));
    return { json: writeJson({ items: sorted.map(toTaskType) }) };
  };
}
