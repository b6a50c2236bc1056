/**
 * What both protocols put on the wire beside a message: who called, for the whole way of a request, and what is wrong in a
 * request, as `google.rpc.BadRequest` in Connect's `details` and in gRPC's `google.rpc.Status` (googleapis,
 * google/rpc/error_details.proto and status.proto).
 */

import { BinaryReader, BinaryWriter } from "@bufbuild/protobuf/wire";
import type { Get } from "../telemetry/context/propagation.ts";
import type { FieldProblem, RpcStatus, TaskError } from "../words/errors.ts";

/** How a protocol is named in spans and metrics, and how it spells the status of a call. */
export interface Wire {
  /** `rpc.system.name` of the conventions. */
  systemName: "connectrpc" | "grpc";
  statusOf(code: RpcStatus): string;
}

/** What travels beside a call besides trace context. */
export interface CallMetadata {
  correlationId: string;
  requestId: string;
}

/**
 * Where a call belongs and who called, as the message `CallContext`: trace context, baggage and B3 under the names of their
 * headers, `correlation_id` and `request_id`.
 */
export type CallContext = Record<string, string>;

export const correlationHeader = "x-correlation-id";
export const requestIdHeader = "x-request-id";
/** Beside an answer: the id of the thing that it is about, and that an earlier request has made it. */
export const idHeader = "throughline-id";
export const replayedHeader = "idempotent-replayed";
/** Beside a task that was made alone: this task service takes `contexts` in `CreateTasks`, which an older build does not. */
export const contextsHeader = "throughline-contexts";
/** In seconds, with an error that passes. */
export const retryAfterHeader = "retry-after";

/** UUIDs too. */
const correlationPattern = /^[A-Za-z0-9._-]{1,64}$/;
/** Visible ASCII, as every log and header can carry it. */
const requestIdPattern = /^[\x21-\x7e]{1,128}$/;

/** The caller's, when it is harmless. */
export function keptCorrelationId(header: string | null | undefined): string | undefined {
  return header != null && correlationPattern.test(header) ? header : undefined;
}

export function keptRequestId(header: string | null | undefined): string | undefined {
  return header != null && requestIdPattern.test(header) ? header : undefined;
}

/** Names of metadata whose fields in `CallContext` have others. */
const fieldNames: Record<string, string> = { [correlationHeader]: "correlation_id", [requestIdHeader]: "request_id" };
const metadataNames: Record<string, string> = { correlation_id: correlationHeader, request_id: requestIdHeader };

/** The context as the metadata of a call that comes alone. */
export function toMetadata(context: CallContext): Record<string, string> {
  const metadata: Record<string, string> = {};
  for (const name in context) metadata[metadataNames[name] ?? name] = context[name] ?? "";
  return metadata;
}

/** The metadata of a call by its context. */
export function fromContext(context: Readonly<Record<string, string | undefined>>): Get {
  return (name) => context[fieldNames[name] ?? name];
}

export const badRequestName = "google.rpc.BadRequest";

const typeUrl = `type.googleapis.com/${badRequestName}`;
/** A field's number and its type in one: length-delimited is 2. */
const lengthDelimited = 2;

export function toBadRequest(problems: readonly FieldProblem[]): Uint8Array {
  const writer = new BinaryWriter();
  for (const { pointer, detail } of problems) {
    writer.tag(1, lengthDelimited).fork();
    writer.tag(1, lengthDelimited).string(pointer).tag(2, lengthDelimited).string(detail);
    writer.join();
  }
  return writer.finish();
}

/** No problems when the bytes cannot be read: the error itself still reaches the caller. */
export function fromBadRequest(bytes: Uint8Array): FieldProblem[] {
  try {
    return fieldsOf(bytes).get(1)?.map(toProblem) ?? [];
  } catch {
    return [];
  }
}

/** A `google.rpc.Status` with the problems of an error that has some. */
export function toStatusDetails({ message, problems }: TaskError, code: number): Uint8Array {
  const writer = new BinaryWriter();
  writer.tag(1, 0).int32(code).tag(2, lengthDelimited).string(message).tag(3, lengthDelimited).fork();
  writer.tag(1, lengthDelimited).string(typeUrl).tag(2, lengthDelimited).bytes(toBadRequest(problems));
  return writer.join().finish();
}

export function fromStatusDetails(bytes: Uint8Array): FieldProblem[] {
  try {
    const details = fieldsOf(bytes).get(3)?.map(fieldsOf) ?? [];
    const ours = details.find((detail) => toText(detail.get(1)) === typeUrl);
    return (ours?.get(2) ?? []).flatMap(fromBadRequest);
  } catch {
    return [];
  }
}

function toProblem(bytes: Uint8Array): FieldProblem {
  const fields = fieldsOf(bytes);
  return { pointer: toText(fields.get(1)), detail: toText(fields.get(2)) };
}

function toText([bytes]: readonly Uint8Array[] = []): string {
  return new TextDecoder().decode(bytes);
}

/** The length-delimited fields of a message, by their numbers; others are passed over. */
function fieldsOf(bytes: Uint8Array): Map<number, Uint8Array[]> {
  const reader = new BinaryReader(bytes);
  const fields = new Map<number, Uint8Array[]>();
  while (reader.pos < reader.len) {
    const [number, type] = reader.tag();
    if (type === lengthDelimited) fields.set(number, [...(fields.get(number) ?? []), reader.bytes()]);
    else reader.skip(type);
  }
  return fields;
}
