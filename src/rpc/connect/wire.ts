/**
 * The Connect protocol for unary calls (connectrpc.com/docs/protocol), both sides' words: paths, headers, codecs and
 * errors. A library's client and server cost several times as much per call as the JSON post that a unary call is; a
 * test holds this against the library's own client.
 */

import type { DescMessage } from "@bufbuild/protobuf";
import {
  connectHttpStatus,
  type FieldProblem,
  fromRpcCode,
  meanings,
  retryAfterSeconds,
  TaskError,
} from "../../words/errors.ts";
import { fromBinaryMessage, parseMessage, toBinaryMessage } from "../methods.ts";
import { badRequestName, fromBadRequest, retryAfterHeader, toBadRequest, type Wire } from "../wire.ts";

/** The protocol in spans. */
export const connectWire: Wire = { systemName: "connectrpc", statusOf: (code) => code };

export const contentTypes = { json: "application/json", proto: "application/proto" } as const;
type Codec = keyof typeof contentTypes;

export function codecOf(contentType: string | null): Codec | undefined {
  const essence = contentType?.split(";", 1)[0]?.trim().toLowerCase();
  if (essence === contentTypes.json) return "json";
  if (essence === contentTypes.proto) return "proto";
  return undefined;
}

/** The request in a body. */
export function decodeMessage(schema: DescMessage, codec: Codec, body: Uint8Array): unknown {
  return codec === "proto" ? fromBinaryMessage(schema, body) : parseMessage(body);
}

/** `json`: the answer. */
export function encodeMessage(schema: DescMessage, codec: Codec, json: string): string | Uint8Array<ArrayBuffer> {
  return codec === "json" ? json : toBinaryMessage(schema, json);
}

/** Connect protocol, "Error end-stream": the JSON body and status of a unary call that failed. */
export function toErrorResponse(error: TaskError): Response {
  const { rpcCode } = meanings[error.code];
  const headers = new Headers({ "content-type": contentTypes.json });
  const retryAfter = retryAfterSeconds(error);
  if (retryAfter !== undefined) headers.set(retryAfterHeader, String(retryAfter));
  const body = JSON.stringify({
    code: rpcCode,
    message: error.message,
    ...(error.problems.length > 0 && { details: [toDetail(error.problems)] }),
  });
  return new Response(body, { status: connectHttpStatus[rpcCode], headers });
}

/** Connect protocol, "Error end-stream": base64 may come without its padding. */
function toDetail(problems: FieldProblem[]): { type: string; value: string } {
  return { type: badRequestName, value: Buffer.from(toBadRequest(problems)).toString("base64").replace(/=+$/, "") };
}

function problemsOf(details: unknown): FieldProblem[] {
  const all: unknown[] = Array.isArray(details) ? details : [];
  return all.flatMap((detail) => {
    const { type, value } = { type: undefined, value: undefined, ...Object(detail) };
    return type === badRequestName && typeof value === "string" ? fromBadRequest(Buffer.from(value, "base64")) : [];
  });
}

/** What a call was answered with, read. */
export interface Answered {
  status: number;
  text: string;
  header(name: string): string | undefined;
}

/** The error in a Connect answer that is not 200; undefined when something else than a task service has answered. */
export function fromErrorAnswer({ header, text }: Answered): TaskError | undefined {
  const { code, message, details } = parseObject(text);
  if (typeof code !== "string") return undefined;
  const seconds = Number(header(retryAfterHeader));
  const problems = problemsOf(details);
  const options = { isRemote: true, problems, ...(seconds > 0 && { retryAfterMs: seconds * 1000 }) };
  return new TaskError(fromRpcCode(code), typeof message === "string" ? message : code, options);
}

function parseObject(text: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null ? { ...value } : {};
  } catch {
    // A task service always answers with JSON.
    return {};
  }
}
