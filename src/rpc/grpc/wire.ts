/**
 * What both sides of gRPC share: the status of a call (grpc.io/docs/guides/status-codes), how errors cross
 * (grpc.io/docs/guides/error), and a service as the library wants it described. Messages pass as bytes.
 */

import type { DescService } from "@bufbuild/protobuf";
import {
  logVerbosity,
  Metadata,
  type MethodDefinition,
  type ServerWritableStream,
  type ServiceDefinition,
  type StatusObject,
  setLogVerbosity,
} from "@grpc/grpc-js";
import {
  fromRpcCode,
  grpcNames,
  meanings,
  retryAfterSeconds,
  rpcStatuses,
  TaskError,
  toTaskError,
} from "../../words/errors.ts";
import { serviceName } from "../methods.ts";
import { fromStatusDetails, retryAfterHeader, toStatusDetails, type Wire } from "../wire.ts";

// Failures come as errors, which are logged once: the library does not write to stderr as well.
setLogVerbosity(logVerbosity.NONE);

/** The protocol in spans. */
export const grpcWire: Wire = {
  systemName: "grpc",
  statusOf: (code) => grpcNames[rpcStatuses.indexOf(code)] ?? "UNKNOWN",
};

/** gRPC, "Richer error model". */
const statusDetailsHeader = "grpc-status-details-bin";

/**
 * Trailer of every error that a task service sends itself. By its status alone such an error is the same as one that the
 * library or a proxy makes up when there is no answer.
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
  const code = rpcStatuses.indexOf(meanings[error.code].rpcCode);
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
  return new TaskError(fromRpcCode(rpcStatuses[code] ?? "unknown"), details, options);
}

/** `typeName`: the name under which it is served, if not its own. */
export function definitionOf(service: DescService, typeName: string = service.typeName): ServiceDefinition {
  return Object.fromEntries(
    service.methods.map(({ name, methodKind }): [string, MethodDefinition<Uint8Array, Uint8Array>] => [
      name,
      {
        path: `/${typeName}/${name}`,
        requestStream: methodKind === "client_streaming" || methodKind === "bidi_streaming",
        responseStream: methodKind === "server_streaming" || methodKind === "bidi_streaming",
        requestSerialize: asBuffer,
        requestDeserialize: (bytes) => bytes,
        responseSerialize: asBuffer,
        responseDeserialize: (bytes) => bytes,
      },
    ]),
  );
}

/** Ends a stream with an error. */
export function refuseStream(call: Pick<ServerWritableStream<unknown, unknown>, "emit">, thrown: unknown): void {
  call.emit("error", toErrorStatus(toTaskError(thrown)));
}

export function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
