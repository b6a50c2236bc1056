/** The spans of calls, on either side: prepared for each method, with what all calls of it have. */

import type { SpanKind, Tracer } from "@opentelemetry/api";
import { key } from "../telemetry/names.ts";
import { type PreparedSpan, prepareSpan } from "../telemetry/spans/prepared-span.ts";
import { fullMethod, type RpcMethod } from "./methods.ts";

/** The task service's side. */
interface Server {
  systemName: string;
  host: string;
  port: number;
}

export function prepareCallSpans(tracer: Tracer, kind: SpanKind, { systemName, host, port }: Server) {
  const prepared = new Map<RpcMethod, PreparedSpan>();
  return (method: RpcMethod): PreparedSpan => {
    const known = prepared.get(method);
    if (known) return known;
    const name = fullMethod(method);
    const attributes = {
      [key.rpcSystemName]: systemName,
      [key.rpcMethod]: name,
      [key.serverAddress]: host,
      [key.serverPort]: port,
    };
    const made = prepareSpan(tracer, { name, kind, attributes });
    prepared.set(method, made);
    return made;
  };
}
