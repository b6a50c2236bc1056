/** What every route has: the caller's address, the trace of its request, and the way to the task service in it. */

import type { Context as HonoContext } from "hono";
import type { Caller } from "../access/caller.ts";
import type { Allowance } from "../access/rate-limit.ts";
import type { Peer } from "../http/listen.ts";
import type { RpcMethod, RpcMethods } from "../rpc/methods.ts";
import type { RequestTrace } from "./request-trace.ts";

export interface Edge {
  Bindings: { peer: Peer };
  Variables: { trace: RequestTrace; caller: Caller; allowance?: Allowance };
}

/** One RPC in the trace of the request; `heldMs`: how long the task service is asked to hold it, `signal`: until when. */
export type CallInRequest = <M extends RpcMethod>(
  c: HonoContext<Edge>,
  method: M,
  request: RpcMethods[M]["request"],
  heldMs?: number,
  signal?: AbortSignal,
) => Promise<RpcMethods[M]["response"]>;
