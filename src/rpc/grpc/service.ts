/** A service of protobuf as the gRPC library wants it described. Messages pass as bytes: who reads them answers for them. */

import type { DescService } from "@bufbuild/protobuf";
import type { MethodDefinition, ServerWritableStream, ServiceDefinition } from "@grpc/grpc-js";
import { toTaskError } from "../../words/errors.ts";
import { toErrorStatus } from "./status-details.ts";

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

function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
