/** A handler whose settings have been read: what its thread runs, and what the rest of the system knows of it. */

import { parseDuration } from "../../settings/parsers.ts";
import { toFailure } from "../../words/errors.ts";
import { type TaskType, type TracePolicy, taskTypePattern, tracePolicies } from "../../words/task.ts";
import { tagOf } from "../../words/thrown.ts";
import type { TaskHandler } from "./handler.ts";
import { isStandardSchema, toPayloadSchema } from "./payload-schema.ts";

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
