/**
 * gRPC-Web for unary calls (github.com/grpc/grpc, doc/PROTOCOL-WEB.md): gRPC over HTTP/1.1, its trailers as the last
 * frame of the body. Binary; a caller's deadline is the end of its connection.
 */

import { meanings, retryAfterSeconds, TaskError } from "../words/errors.ts";
import { statusDetailsHeader, toStatusDetails } from "./bad-request.ts";
import { grpcWire, toStatusNumber } from "./grpc/status.ts";
import { retryAfterHeader } from "./metadata.ts";

const contentType = "application/grpc-web+proto";
const accepted = new Set([contentType, "application/grpc-web"]);

export const grpcWebWire = grpcWire;

export function isGrpcWeb(type: string | null): boolean {
  return accepted.has(type?.split(";", 1)[0]?.trim().toLowerCase() ?? "");
}

const headerBytes = 5;
const compressedFlag = 0x01;
const trailersFlag = 0x80;

/** The one message of a request; throws a `TaskError` when there is not exactly one, or none that can be read. */
export function readFrame(body: Uint8Array): Uint8Array {
  const view = new DataView(body.buffer, body.byteOffset, body.byteLength);
  if (body.byteLength < headerBytes || view.getUint32(1) !== body.byteLength - headerBytes) {
    throw new TaskError("invalid_argument", "the body is not one frame");
  }
  if (view.getUint8(0) & compressedFlag) {
    throw new TaskError("unimplemented", "compressed messages are not supported; send identity");
  }
  return body.subarray(headerBytes);
}

export function toGrpcWebResponse(message: Uint8Array): Response {
  return respond([toFrame(0, message), toTrailers({ "grpc-status": String(toStatusNumber("ok")) })]);
}

export function toGrpcWebError(error: TaskError): Response {
  const retryAfter = retryAfterSeconds(error);
  const code = toStatusNumber(meanings[error.code].rpcCode);
  return respond([
    toTrailers({
      "grpc-status": String(code),
      "grpc-message": encodeURIComponent(error.message),
      ...(error.problems.length > 0 && {
        [statusDetailsHeader]: Buffer.from(toStatusDetails(error, code)).toString("base64"),
      }),
      ...(retryAfter !== undefined && { [retryAfterHeader]: String(retryAfter) }),
    }),
  ]);
}

function respond(frames: readonly Uint8Array[]): Response {
  return new Response(Uint8Array.from(Buffer.concat(frames)), { headers: { "content-type": contentType } });
}

function toTrailers(trailers: Record<string, string>): Uint8Array {
  const lines = Object.entries(trailers).map(([name, value]) => `${name}: ${value}\r\n`);
  return toFrame(trailersFlag, new TextEncoder().encode(lines.join("")));
}

function toFrame(flags: number, bytes: Uint8Array): Uint8Array {
  const frame = new Uint8Array(headerBytes + bytes.byteLength);
  const view = new DataView(frame.buffer);
  view.setUint8(0, flags);
  view.setUint32(1, bytes.byteLength);
  frame.set(bytes, headerBytes);
  return frame;
}
