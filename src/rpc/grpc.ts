/** The words of gRPC that both sides use: its status codes, and how errors of ours cross (grpc.io/docs/guides/error). */

import { logVerbosity, Metadata, type StatusObject, setLogVerbosity, status } from "@grpc/grpc-js";
import { fromRpcCode, meanings, type RpcCode, retryAfterSeconds, TaskError } from "../errors.ts";
import type { Wire } from "./call.ts";
import { retryAfterHeader } from "./metadata.ts";
import { serviceName } from "./methods.ts";

// What goes wrong comes as errors, and is told once: not by the library on stderr as well.
setLogVerbosity(logVerbosity.NONE);

/** gRPC counts the codes that Connect spells out. */
const statusCodes: Record<RpcCode | "ok", status> = {
  ok: status.OK,
  canceled: status.CANCELLED,
  unknown: status.UNKNOWN,
  invalid_argument: status.INVALID_ARGUMENT,
  deadline_exceeded: status.DEADLINE_EXCEEDED,
  not_found: status.NOT_FOUND,
  already_exists: status.ALREADY_EXISTS,
  permission_denied: status.PERMISSION_DENIED,
  resource_exhausted: status.RESOURCE_EXHAUSTED,
  failed_precondition: status.FAILED_PRECONDITION,
  aborted: status.ABORTED,
  out_of_range: status.OUT_OF_RANGE,
  unimplemented: status.UNIMPLEMENTED,
  internal: status.INTERNAL,
  unavailable: status.UNAVAILABLE,
  data_loss: status.DATA_LOSS,
  unauthenticated: status.UNAUTHENTICATED,
};

const rpcCodes = new Map(Object.entries(statusCodes).map(([code, number]) => [number, code]));

/** The protocol in spans. */
export const grpcWire: Wire = { systemName: "grpc", statusOf: (code) => status[statusCodes[code]] };

/**
 * Trailer of every error that is a task service's own: its status says no more than one that the library or a proxy
 * makes up when there is no answer.
 */
const refusedByHeader = "x-refused-by";
/** After how many milliseconds a client that repeats calls by itself may do so (gRPC A6, "Server pushback"). */
const pushbackHeader = "grpc-retry-pushback-ms";

export function toErrorStatus(error: TaskError): StatusObject {
  const metadata = new Metadata();
  metadata.set(refusedByHeader, serviceName);
  const retryAfter = retryAfterSeconds(error);
  if (retryAfter !== undefined) {
    metadata.set(retryAfterHeader, String(retryAfter));
    metadata.set(pushbackHeader, String(error.retryAfterMs ?? retryAfter * 1000));
  }
  return { code: statusCodes[meanings[error.code].rpcCode], details: error.message, metadata };
}

/** The task service's own error; undefined when it has not answered. */
export function fromErrorStatus({ code, details, metadata }: StatusObject): TaskError | undefined {
  if (metadata.get(refusedByHeader).length === 0) return undefined;
  const seconds = Number(metadata.get(retryAfterHeader)[0]);
  const options = { isRemote: true, ...(seconds > 0 && { retryAfterMs: seconds * 1000 }) };
  return new TaskError(fromRpcCode(rpcCodes.get(code) ?? "unknown"), details, options);
}
