/** The methods of the task service, whatever protocol carries them: their names, and their messages as JSON and in binary form. */

import { type DescMessage, fromBinary, fromJson, type JsonValue, toBinary, toJson } from "@bufbuild/protobuf";
import { TaskService } from "../gen/tasks_pb.ts";
import { parseJson } from "../http/body.ts";
import { TaskError } from "../words/errors.ts";
import { JsonText } from "../words/json-text.ts";

export const serviceName = TaskService.typeName;

export type RpcMethod = Capitalize<keyof typeof TaskService.method>;

interface Schemas {
  request: DescMessage;
  response: DescMessage;
}

// The names of a service's methods in protobuf are those of its description in capitals.
export const rpcSchemas = Object.fromEntries(
  TaskService.methods.map(({ name, input, output }) => [name, { request: input, response: output }]),
) as Record<RpcMethod, Schemas>;

/** `tasks.TaskService/CreateTask`: the path without its slash, the span's name and `rpc.method`. */
export function fullMethod(method: RpcMethod): string {
  return `${serviceName}/${method}`;
}

const methods = new Map((Object.keys(rpcSchemas) as RpcMethod[]).map((method) => [fullMethod(method), method]));

/** The method of that full name, if it is one of ours. */
export function methodOf(name: string): RpcMethod | undefined {
  return methods.get(name);
}

/** Levels of a message as JSON: the 64 of an HTTP body, and what a request puts around it. */
export const maxMessageDepth = 80;
/** The same in protobuf's: a level of a payload is two messages there. Its own limit of 100 is below what HTTP takes. */
const recursionLimit = 2 * maxMessageDepth;

/** A message from its JSON text; throws `invalid_argument` when it cannot be read. */
export function parseMessage(body: Uint8Array): unknown {
  if (body.length === 0) return {};
  return parseJson(body, { maxDepth: maxMessageDepth, what: "the request message", halves: "mended" });
}

/** A binary message as JSON with the names of the API; throws `invalid_argument` when it cannot be read. */
export function fromBinaryMessage(schema: DescMessage, bytes: Uint8Array): JsonValue {
  try {
    return toJson(schema, fromBinary(schema, bytes, { recursionLimit }), { useProtoFieldName: true });
  } catch (cause) {
    throw new TaskError("invalid_argument", "the message cannot be read", { cause });
  }
}

/** `json`: text of a message as JSON. */
export function toBinaryMessage(schema: DescMessage, json: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(toBinary(schema, fromJson(schema, JSON.parse(json))));
}

/** A request in any of the spellings that protobuf's JSON allows, with the names of the API and without defaults. */
export function canonical(method: RpcMethod, message: unknown): unknown {
  const schema = rpcSchemas[method].request;
  const payloads: JsonText[] = [];
  try {
    const plain: JsonValue = JSON.parse(JSON.stringify(withNumbers(message, payloads)));
    return withPayloads(toJson(schema, fromJson(schema, plain), { useProtoFieldName: true }), payloads);
  } catch (cause) {
    const reason = cause instanceof Error ? `: ${cause.message}` : "";
    throw new TaskError("invalid_argument", `the request message does not fit its schema${reason}`, { cause });
  }
}

/** `value` with its index in `payloads` in place of each text: protobuf holds the numbers of a payload as doubles. */
function withNumbers(value: unknown, payloads: JsonText[]): unknown {
  if (value instanceof JsonText) return payloads.push(value) - 1;
  if (Array.isArray(value)) return value.map((item) => withNumbers(item, payloads));
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, member]) => [name, withNumbers(member, payloads)]));
}

/** A message that came as text has no other payloads. */
function withPayloads(value: JsonValue, payloads: readonly JsonText[]): unknown {
  if (payloads.length === 0 || typeof value !== "object" || value === null) return value;
  if (Array.isArray(value)) return value.map((item) => withPayloads(item, payloads));
  const members = Object.entries(value).map(([name, member]) => {
    const isPayload = name === "payload" && typeof member === "number";
    return [name, isPayload ? payloads[member] : withPayloads(member, payloads)] as const;
  });
  return Object.fromEntries(members);
}
