/**
 * A handler whose settings have been read: what its thread runs, and what the rest of the system knows of it.
 *
 * Its schema is the check of a payload before the handler runs, and the JSON Schema by which the task service can refuse
 * earlier. Any library that speaks Standard Schema will do; the JSON Schema is there when the library also speaks Standard
 * JSON Schema (https://standardschema.dev/json-schema), as zod 4.2 and arktype 2.1.28 do.
 */

import type { StandardJSONSchemaV1, StandardSchemaV1 } from "@standard-schema/spec";
import { parseDuration } from "../../settings/parsers.ts";
import { toFailure } from "../../words/errors.ts";
import { toPointer } from "../../words/json-text.ts";
import { type TaskType, type TracePolicy, taskTypePattern, tracePolicies } from "../../words/task.ts";
import { tagOf } from "../../words/text.ts";
import type { TaskHandler } from "./handler.ts";

/** A task type as its handler says it. */
export interface HandledType extends TaskType {
  /** null: the deployment's. */
  tracePolicy: TracePolicy | null;
}

export interface LoadedHandler extends HandledType {
  handler: TaskHandler;
  /** In the handlers' folder; none: it is built in. */
  file?: string;
}

/**
 * The handler of a module's default export: an object with `run`, or that function alone. CommonJS has it there as
 * `module.exports`, or one `default` deeper when it was compiled from a module.
 */
export function toHandler(exported: unknown): TaskHandler | undefined {
  return asHandler(defaultOf(exported)) ?? asHandler(exported);
}

function defaultOf(value: unknown): unknown {
  return typeof value === "object" && value !== null && "default" in value ? value.default : undefined;
}

function asHandler(value: unknown): TaskHandler | undefined {
  if (isHandler(value)) return value;
  return isRun(value) && !isClass(value) ? { ...value, run: value } : undefined;
}

function isHandler(value: unknown): value is TaskHandler {
  const hasFields = typeof value === "function" || (typeof value === "object" && value !== null);
  return hasFields && "run" in value && typeof value.run === "function";
}

function isRun(value: unknown): value is TaskHandler["run"] {
  return typeof value === "function";
}

export function isClass(value: unknown): boolean {
  return typeof value === "function" && /^class\b/.test(Function.prototype.toString.call(value));
}

/** `name`: its type when it does not say one. Throws an `Error` that says which of its settings is wrong. */
export function toLoaded(handler: TaskHandler, name: string): LoadedHandler {
  const { type = name, maxAttempts, timeout, isolation = "shared", tracePolicy = null, payload } = handler;
  if (/^(Async)?GeneratorFunction$/.test(tagOf(handler.run))) {
    throw new Error("its run is a generator function, whose body would never run: make it async, without the asterisk");
  }
  if (!taskTypePattern.test(type)) throw new Error("its type must have 1 to 128 letters, digits or . _ : / -");
  if (maxAttempts !== undefined && !(Number.isInteger(maxAttempts) && maxAttempts >= 1 && maxAttempts <= 100)) {
    throw new Error("its maxAttempts must be a whole number from 1 to 100");
  }
  if (isolation !== "shared" && isolation !== "exclusive") throw new Error("its isolation must be shared or exclusive");
  if (tracePolicy !== null && !tracePolicies.includes(tracePolicy)) {
    throw new Error(`its tracePolicy must be one of ${tracePolicies.join(", ")}`);
  }
  if (payload !== undefined && !isStandardSchema(payload)) {
    throw new Error("its payload must be a Standard Schema, such as zod, valibot and arktype make");
  }
  const timeoutMs = timeout === undefined ? null : parseTimeout(timeout);
  const payloadSchema = payload === undefined ? null : toPayloadSchema(payload);
  return { type, maxAttempts: maxAttempts ?? null, timeoutMs, isolation, tracePolicy, payloadSchema, handler };
}

function parseTimeout(text: string): number {
  try {
    return parseDuration(text);
  } catch (error) {
    throw new Error(`its timeout "${text}": ${toFailure(error).message}`);
  }
}

/** Bytes of a schema's text; a longer one is not given to the task service. */
const maxSchemaLength = 16_384;
const maxIssues = 20;

/** No other attempt will find another payload: this is fatal. Its message has each issue with its JSON pointer. */
export class PayloadError extends Error {
  override readonly name = "PayloadError";
  readonly code = "invalid_payload";
}

function isStandardSchema(value: unknown): value is StandardSchemaV1 {
  const standard = standardOf(value);
  return standard?.version === 1 && typeof standard.validate === "function";
}

/** What the schema makes of the payload. Throws `PayloadError` when it does not fit. */
export async function checkPayload(schema: StandardSchemaV1, payload: unknown): Promise<unknown> {
  const result = await schema["~standard"].validate(payload);
  if (result.issues === undefined) return result.value;
  throw new PayloadError(`the payload does not fit: ${toMessage(result.issues)}`);
}

/** JSON Schema of what callers send, as JSON text; null when the library cannot say it. */
export function toPayloadSchema(schema: StandardSchemaV1): string | null {
  const standard = standardOf(schema);
  if (!standard || !hasJsonSchema(standard)) return null;
  try {
    const text = JSON.stringify(withoutFormats(standard.jsonSchema.input({ target: "draft-2020-12" })));
    return text.length <= maxSchemaLength ? text : null;
  } catch {
    // A date, a function, a check of the author's own: JSON Schema has no word for it.
    return null;
  }
}

/** Some libraries make objects, arktype makes functions. */
function standardOf(value: unknown): Record<string, unknown> | undefined {
  if ((typeof value !== "object" && typeof value !== "function") || value === null) return undefined;
  const standard: unknown = Reflect.get(value, "~standard");
  return typeof standard === "object" && standard !== null ? { ...standard } : undefined;
}

function hasJsonSchema(standard: Record<string, unknown>): standard is { jsonSchema: StandardJSONSchemaV1.Converter } {
  const { jsonSchema } = standard;
  return typeof jsonSchema === "object" && jsonSchema !== null && "input" in jsonSchema;
}

function toMessage(issues: readonly StandardSchemaV1.Issue[]): string {
  const shown = issues.slice(0, maxIssues).map(({ path = [], message }) => `${pointerOf(path)}: ${message}`);
  const more = issues.length - shown.length;
  return [...shown, ...(more > 0 ? [`and ${more} more`] : [])].join("; ");
}

/** JSON pointer (RFC 6901) into the task, as the problems of a refused request have it. */
function pointerOf(path: NonNullable<StandardSchemaV1.Issue["path"]>): string {
  const keys = path.map((part) => String(typeof part === "object" ? part.key : part));
  return toPointer(["payload", ...keys]);
}

/** Values, not schemas. */
const valueKeywords = new Set(["const", "enum", "default", "examples"]);

/**
 * `format` is a note, not a check (JSON Schema 2020-12, Validation, 7.2.1): a validator that checked it all the same
 * could refuse what the handler's own library takes.
 */
function withoutFormats(schema: unknown): unknown {
  if (Array.isArray(schema)) return schema.map(withoutFormats);
  if (typeof schema !== "object" || schema === null) return schema;
  const kept = Object.entries(schema).filter(([name, value]) => name !== "format" || typeof value !== "string");
  return Object.fromEntries(
    kept.map(([name, value]) => [name, valueKeywords.has(name) ? value : withoutFormats(value)]),
  );
}
