/**
 * The Connect protocol for unary calls (connectrpc.com/docs/protocol), both sides' words: paths, headers, codecs and
 * errors. A library's client and server cost several times as much per call as the JSON post that a unary call is; a
 * test holds this against the library's own client.
 */

import {
  type DescMessage,
  type DescMethod,
  fromBinary,
  fromJson,
  type JsonValue,
  toBinary,
  toJson,
} from "@bufbuild/protobuf";
import { connectHttpStatus, fromRpcCode, meanings, retryAfterSeconds, TaskError } from "../errors.ts";
import {
  type CancelTaskRequestJson,
  type CancelTaskResponseJson,
  type ControlRedriveRequestJson,
  type ControlRedriveResponseJson,
  type CreateTaskRequestJson,
  type CreateTaskResponseJson,
  type DiscardDeadLetterRequestJson,
  type DiscardDeadLetterResponseJson,
  type GetRedriveRequestJson,
  type GetRedriveResponseJson,
  type GetTaskRequestJson,
  type GetTaskResponseJson,
  type GetTimelineRequestJson,
  type GetTimelineResponseJson,
  type ListDeadLettersRequestJson,
  type ListDeadLettersResponseJson,
  type ListUnreadableRequestJson,
  type ListUnreadableResponseJson,
  type RedriveDeadLettersRequestJson,
  type RedriveDeadLettersResponseJson,
  TaskService,
} from "../gen/tasks_pb.ts";

export const serviceName = TaskService.typeName;

/** Requests and responses in protobuf's JSON form. */
export interface RpcMethods {
  CreateTask: { request: CreateTaskRequestJson; response: CreateTaskResponseJson };
  GetTask: { request: GetTaskRequestJson; response: GetTaskResponseJson };
  GetTimeline: { request: GetTimelineRequestJson; response: GetTimelineResponseJson };
  CancelTask: { request: CancelTaskRequestJson; response: CancelTaskResponseJson };
  ListDeadLetters: { request: ListDeadLettersRequestJson; response: ListDeadLettersResponseJson };
  ListUnreadable: { request: ListUnreadableRequestJson; response: ListUnreadableResponseJson };
  RedriveDeadLetters: { request: RedriveDeadLettersRequestJson; response: RedriveDeadLettersResponseJson };
  GetRedrive: { request: GetRedriveRequestJson; response: GetRedriveResponseJson };
  ControlRedrive: { request: ControlRedriveRequestJson; response: ControlRedriveResponseJson };
  DiscardDeadLetter: { request: DiscardDeadLetterRequestJson; response: DiscardDeadLetterResponseJson };
}

export type RpcMethod = keyof RpcMethods;

function schemasOf({ input, output }: DescMethod): { request: DescMessage; response: DescMessage } {
  return { request: input, response: output };
}

export const rpcSchemas: Record<RpcMethod, { request: DescMessage; response: DescMessage }> = {
  CreateTask: schemasOf(TaskService.method.createTask),
  GetTask: schemasOf(TaskService.method.getTask),
  GetTimeline: schemasOf(TaskService.method.getTimeline),
  CancelTask: schemasOf(TaskService.method.cancelTask),
  ListDeadLetters: schemasOf(TaskService.method.listDeadLetters),
  ListUnreadable: schemasOf(TaskService.method.listUnreadable),
  RedriveDeadLetters: schemasOf(TaskService.method.redriveDeadLetters),
  GetRedrive: schemasOf(TaskService.method.getRedrive),
  ControlRedrive: schemasOf(TaskService.method.controlRedrive),
  DiscardDeadLetter: schemasOf(TaskService.method.discardDeadLetter),
};

/** `tasks.TaskService/CreateTask`: the path without its slash, the span's name and `rpc.method`. */
export function fullMethod(method: RpcMethod): string {
  return `${serviceName}/${method}`;
}

export const contentTypes = { json: "application/json", proto: "application/proto" } as const;
export type Codec = keyof typeof contentTypes;

export function codecOf(contentType: string | null): Codec | undefined {
  const essence = contentType?.split(";", 1)[0]?.trim().toLowerCase();
  if (essence === contentTypes.json) return "json";
  if (essence === contentTypes.proto) return "proto";
  return undefined;
}

/** A body as protobuf JSON; every spelling that protobuf allows comes out canonical. */
export function decodeMessage(schema: DescMessage, codec: Codec, body: Uint8Array): JsonValue {
  try {
    if (codec === "proto") return toJson(schema, fromBinary(schema, body));
    return JSON.parse(body.length === 0 ? "{}" : new TextDecoder().decode(body));
  } catch (cause) {
    throw new TaskError("invalid_argument", "the request message cannot be read", { cause });
  }
}

/** Protobuf JSON with any of the spellings that protobuf allows, as the canonical one. */
export function canonical(schema: DescMessage, json: JsonValue): JsonValue {
  try {
    return toJson(schema, fromJson(schema, json));
  } catch (cause) {
    const reason = cause instanceof Error ? `: ${cause.message}` : "";
    throw new TaskError("invalid_argument", `the request message does not fit its schema${reason}`, { cause });
  }
}

export function encodeMessage(schema: DescMessage, codec: Codec, json: JsonValue): string | Uint8Array<ArrayBuffer> {
  return codec === "json" ? JSON.stringify(json) : Uint8Array.from(toBinary(schema, fromJson(schema, json)));
}

/** Connect protocol, "Error end-stream": the JSON body and status of a unary call that failed. */
export function toErrorResponse(error: TaskError): Response {
  const { rpcCode } = meanings[error.code];
  const headers = new Headers({ "content-type": contentTypes.json });
  const retryAfter = retryAfterSeconds(error);
  if (retryAfter !== undefined) headers.set("retry-after", String(retryAfter));
  const body = JSON.stringify({ code: rpcCode, message: error.message });
  return new Response(body, { status: connectHttpStatus[rpcCode], headers });
}

/** What a call was answered with, read. */
export interface Answered {
  status: number;
  /** In seconds, as the header has it. */
  retryAfter: string | null | undefined;
  text: string;
}

/** The error in a Connect answer that is not 200; undefined when something else than a task service has answered. */
export function fromErrorAnswer({ retryAfter, text }: Answered): TaskError | undefined {
  const { code, message } = parseObject(text);
  if (typeof code !== "string") return undefined;
  const seconds = Number(retryAfter);
  const options = { isRemote: true, ...(seconds > 0 && { retryAfterMs: seconds * 1000 }) };
  return new TaskError(fromRpcCode(code), typeof message === "string" ? message : code, options);
}

function parseObject(text: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null ? { ...value } : {};
  } catch {
    // Whoever answers in another language is not a task service.
    return {};
  }
}
