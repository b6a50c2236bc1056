/** The words of gRPC that both sides use: how errors of ours cross (grpc.io/docs/guides/error). */

import { logVerbosity, Metadata, type StatusObject, setLogVerbosity } from "@grpc/grpc-js";
import { fromRpcCode, meanings, retryAfterSeconds, TaskError } from "../../words/errors.ts";
import { fromStatusDetails, statusDetailsHeader, toStatusDetails } from "../bad-request.ts";
import { retryAfterHeader } from "../metadata.ts";
import { serviceName } from "../methods.ts";
import { fromStatusNumber, toStatusNumber } from "./status.ts";

// What goes wrong comes as errors, and is told once: not by the library on stderr as well.
setLogVerbosity(logVerbosity.NONE);

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
  const code = toStatusNumber(meanings[error.code].rpcCode);
  if (error.problems.length > 0) metadata.set(statusDetailsHeader, Buffer.from(toStatusDetails(error, code)));
  return { code, details: error.message, metadata };
}

/** The task service's own error; undefined when it has not answered. */
export function fromErrorStatus({ code, details, metadata }: StatusObject): TaskError | undefined {
  if (metadata.get(refusedByHeader).length === 0) return undefined;
  const seconds = Number(metadata.get(retryAfterHeader)[0]);
  const [detailed] = metadata.get(statusDetailsHeader);
  const problems = Buffer.isBuffer(detailed) ? fromStatusDetails(detailed) : [];
  const options = { isRemote: true, problems, ...(seconds > 0 && { retryAfterMs: seconds * 1000 }) };
  return new TaskError(fromRpcCode(fromStatusNumber(code)), details, options);
}
