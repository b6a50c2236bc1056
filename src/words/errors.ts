/**
 * The one error class of Throughline, its closed set of codes, and the tables keyed by them. What an error means at a
 * border (HTTP status, RPC code) is looked up here and nowhere else; the compiler checks that no code is forgotten.
 */

import { cutText, isError, isInstance, propertyOf, toText } from "./text.ts";

export type ErrorCode =
  | "invalid_argument"
  | "unauthenticated"
  | "permission_denied"
  | "payload_too_large"
  | "not_found"
  | "method_not_allowed"
  | "conflict"
  | "idempotency_mismatch"
  | "resource_exhausted"
  | "unavailable"
  | "deadline_exceeded"
  | "canceled"
  | "unimplemented"
  | "internal";

/** One thing that is wrong in a body: a JSON pointer (RFC 6901) and what is allowed there. */
export interface FieldProblem {
  pointer: string;
  detail: string;
}

interface TaskErrorOptions {
  cause?: unknown;
  problems?: FieldProblem[];
  /** After how many milliseconds it is worth trying again. */
  retryAfterMs?: number;
  /** It came from another service, which has recorded it where it happened. */
  isRemote?: boolean;
}

export class TaskError extends Error {
  override readonly name = "TaskError";
  readonly code: ErrorCode;
  readonly problems: FieldProblem[];
  readonly retryAfterMs: number | undefined;
  readonly isRemote: boolean;

  constructor(code: ErrorCode, message: string, options: TaskErrorOptions = {}) {
    super(message.toWellFormed(), options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.problems = options.problems ?? [];
    this.retryAfterMs = options.retryAfterMs;
    this.isRemote = options.isRemote ?? false;
  }
}

interface Meaning {
  httpStatus: number;
  /** RFC 9457 title. */
  title: string;
  /** Connect's spelling of the gRPC status code. */
  rpcCode: RpcCode;
}

/** The status of a call in Connect's spelling (Connect protocol, "Error codes"), in gRPC's order: the place is the number. */
export const rpcStatuses = [
  "ok",
  "canceled",
  "unknown",
  "invalid_argument",
  "deadline_exceeded",
  "not_found",
  "already_exists",
  "permission_denied",
  "resource_exhausted",
  "failed_precondition",
  "aborted",
  "out_of_range",
  "unimplemented",
  "internal",
  "unavailable",
  "data_loss",
  "unauthenticated",
] as const;

export type RpcStatus = (typeof rpcStatuses)[number];
export type RpcCode = Exclude<RpcStatus, "ok">;

/** The same as gRPC spells them: all but one in capitals only. */
export const grpcNames: readonly string[] = rpcStatuses.map((status) =>
  status === "canceled" ? "CANCELLED" : status.toUpperCase(),
);

export const meanings: Record<ErrorCode, Meaning> = {
  invalid_argument: { httpStatus: 400, title: "Invalid request", rpcCode: "invalid_argument" },
  unauthenticated: { httpStatus: 401, title: "Unauthenticated", rpcCode: "unauthenticated" },
  permission_denied: { httpStatus: 403, title: "Permission denied", rpcCode: "permission_denied" },
  payload_too_large: { httpStatus: 413, title: "Payload too large", rpcCode: "out_of_range" },
  not_found: { httpStatus: 404, title: "Not found", rpcCode: "not_found" },
  conflict: { httpStatus: 409, title: "Conflict", rpcCode: "failed_precondition" },
  idempotency_mismatch: {
    httpStatus: 422,
    title: "Idempotency key reused with another body",
    rpcCode: "already_exists",
  },
  resource_exhausted: { httpStatus: 429, title: "Too many requests", rpcCode: "resource_exhausted" },
  unavailable: { httpStatus: 503, title: "Service unavailable", rpcCode: "unavailable" },
  deadline_exceeded: { httpStatus: 504, title: "Deadline exceeded", rpcCode: "deadline_exceeded" },
  canceled: { httpStatus: 499, title: "Client closed request", rpcCode: "canceled" },
  unimplemented: { httpStatus: 501, title: "Not implemented", rpcCode: "unimplemented" },
  // Of HTTP alone; what RPC has for it comes back as the code above.
  method_not_allowed: { httpStatus: 405, title: "Method not allowed", rpcCode: "unimplemented" },
  internal: { httpStatus: 500, title: "Internal server error", rpcCode: "internal" },
};

/** HTTP status of a Connect unary error (Connect protocol, "Error codes"). */
export const connectHttpStatus: Record<RpcCode, number> = {
  canceled: 499,
  unknown: 500,
  invalid_argument: 400,
  deadline_exceeded: 504,
  not_found: 404,
  already_exists: 409,
  permission_denied: 403,
  resource_exhausted: 429,
  failed_precondition: 400,
  aborted: 409,
  out_of_range: 400,
  unimplemented: 501,
  internal: 500,
  unavailable: 503,
  data_loss: 500,
  unauthenticated: 401,
};

/** Of an error that says nothing else. */
const usualRetryAfterMs = 1000;

/** RFC 9110, `Retry-After`, in whole seconds: of every error that is no fault of the request itself. */
export function retryAfterSeconds({ code, retryAfterMs }: TaskError): number | undefined {
  const isPassing = code === "unavailable" || code === "resource_exhausted";
  const ms = retryAfterMs ?? (isPassing ? usualRetryAfterMs : undefined);
  return ms === undefined ? undefined : Math.ceil(ms / 1000);
}

/** The codes for which an RPC server span is an error: OpenTelemetry semantic conventions 1.45, RPC. */
export const serverFaults: ReadonlySet<RpcCode> = new Set([
  "unknown",
  "deadline_exceeded",
  "unimplemented",
  "internal",
  "unavailable",
  "data_loss",
]);

/** Only the gateway authenticates. From the RPC these codes come of something in between, which is no fault of the caller. */
const ofTheEdge: ReadonlySet<string> = new Set(["unauthenticated", "permission_denied"]);

/** Our code for an RPC code that came over the wire; what we never send means a fault on the other side. */
export function fromRpcCode(rpcCode: string): ErrorCode {
  if (ofTheEdge.has(rpcCode)) return "internal";
  for (const [code, meaning] of Object.entries(meanings)) if (meaning.rpcCode === rpcCode) return code as ErrorCode;
  return "internal";
}

/** The one converter from anything that was thrown. An abort or a timeout keeps its meaning, the rest is internal. */
export function toTaskError(thrown: unknown): TaskError {
  if (isInstance(thrown, TaskError)) return thrown;
  const name = isError(thrown) ? propertyOf(thrown, "name") : undefined;
  const code = name === "TimeoutError" ? "deadline_exceeded" : name === "AbortError" ? "canceled" : "internal";
  return new TaskError(code, messageOf(thrown, maxMessageLength), { cause: thrown });
}

/** An error as a plain value: what crosses threads, the store and the log. All its texts are bounded and well-formed. */
export interface Failure {
  /** Low cardinality: the class name or code, never the message. */
  type: string;
  message: string;
  stack?: string;
  /** Messages of the causes, outermost first; those of an `AggregateError` before the cause that it was given. */
  causes?: string[];
}

const maxMessageLength = 4000;
const maxTypeLength = 200;
const maxStackLength = 16_000;
const maxCauses = 10;
const maxCauseLength = 1000;

/** Anything thrown, as a plain value with its whole chain of causes. Never throws itself. */
export function toFailure(thrown: unknown): Failure {
  const message = messageOf(thrown, maxMessageLength);
  if (!isError(thrown)) return { type: "Error", message };
  const failure: Failure = { type: errorType(thrown), message };
  const stack = stackOf(thrown, message);
  if (stack) failure.stack = stack;
  const causes = causesOf(thrown);
  if (causes.length > 0) failure.causes = causes;
  return failure;
}

/**
 * A failure as the store keeps it: without its stack, which is in the trace and the log. Takes what an earlier version
 * has kept, too: texts of any length, or no texts.
 */
export function toKeptFailure({ type, message, causes }: { [Name in keyof Failure]?: unknown }): Failure {
  return {
    type: toText(type ?? "Error", maxTypeLength),
    message: toText(message ?? "", maxMessageLength),
    ...(Array.isArray(causes) && {
      causes: causes.slice(0, maxCauses).map((cause) => toText(cause, maxCauseLength)),
    }),
  };
}

function messageOf(thrown: unknown, maxLength: number): string {
  if (!isError(thrown)) return toText(thrown, maxLength);
  return toText(propertyOf(thrown, "message") ?? "", maxLength);
}

/** It begins with the message: one that is cut is cut there as well, so that the frames behind it stay. */
function stackOf(error: object, message: string): string | undefined {
  const stack = propertyOf(error, "stack");
  if (typeof stack !== "string") return undefined;
  const whole = propertyOf(error, "message");
  const isLong = typeof whole === "string" && whole.length > message.length;
  return cutText(isLong ? stack.replace(whole, () => message) : stack, maxStackLength);
}

function causesOf(error: object): string[] {
  const causes: string[] = [];
  const add = (cause: unknown): void => {
    if (cause === undefined || causes.length >= maxCauses) return;
    const message = messageOf(cause, maxCauseLength);
    causes.push(isError(cause) ? cutText(`${errorType(cause)}: ${message}`, maxCauseLength) : message);
    if (isError(cause)) addAll(cause);
  };
  const addAll = (effect: object): void => {
    // The bound ends a chain that leads back to itself, too.
    const errors = isInstance(effect, AggregateError) ? propertyOf(effect, "errors") : undefined;
    if (typeof errors === "object" && errors !== null) {
      for (let index = 0; index < maxCauses; index++) add(propertyOf(errors, index));
    }
    add(propertyOf(effect, "cause"));
  };
  addAll(error);
  return causes;
}

/** What goes into `error.type`: our code, a system error's code, else the name, else that of the class. */
function errorType(error: object): string {
  const names = [propertyOf(error, "code"), propertyOf(error, "name"), classNameOf(error)];
  const name = names.find((one): one is string => typeof one === "string" && one !== "");
  return cutText(name ?? "Error", maxTypeLength);
}

function classNameOf(error: object): unknown {
  const made = propertyOf(error, "constructor");
  return typeof made === "function" ? propertyOf(made, "name") : undefined;
}
