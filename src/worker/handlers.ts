/** The handlers of a thread: the built-in ones, and those of the user's folder, loaded from disk. */

import { readdirSync } from "node:fs";
import { basename, extname, join } from "node:path";
import { pathToFileURL } from "node:url";
import type { Config } from "../config.ts";
import { toFailure } from "../errors.ts";
import { parseDuration } from "../settings.ts";
import { type TaskType, type TracePolicy, taskTypePattern, tracePolicies } from "../task.ts";
import { builtInHandlers } from "./built-in-handlers.ts";
import type { TaskHandler } from "./handler.ts";
import { provideModules } from "./provided-modules.ts";

/** A task type as its handler says it. */
export interface HandledType extends TaskType {
  /** null: the deployment's. */
  tracePolicy: TracePolicy | null;
}

export interface LoadedHandler extends HandledType {
  handler: TaskHandler;
}

export type Handlers = Map<string, LoadedHandler>;

/** Handlers that could not be loaded; `problems` has a line for each file. */
export class HandlerError extends Error {
  override readonly name = "HandlerError";
  readonly problems: string[];
  constructor(problems: string[]) {
    super(problems.join("\n"));
    this.problems = problems;
  }
}

const endings = new Set([".ts", ".mts", ".js", ".mjs"]);

/** Loads all; throws `HandlerError` when a file does not load, is no handler, or two are for one type. */
export async function loadHandlers(config: Config): Promise<Handlers> {
  const handlers: Handlers = new Map();
  for (const handler of builtInHandlers(config)) {
    const loaded = toLoaded(handler, "");
    handlers.set(loaded.type, loaded);
  }
  if (config.handlers === undefined) return handlers;
  provideModules();
  const problems: string[] = [];
  const sources = new Map<string, string>();
  for (const file of handlerFiles(config.handlers)) {
    try {
      const loaded = await loadFile(join(config.handlers, file));
      const earlier = sources.get(loaded.type) ?? (handlers.has(loaded.type) ? "a built-in type" : undefined);
      if (earlier !== undefined) throw new Error(`its type "${loaded.type}" is taken by ${earlier}`);
      sources.set(loaded.type, file);
      handlers.set(loaded.type, loaded);
    } catch (error) {
      problems.push(`handler file "${file}": ${reasonOf(error)}`);
    }
  }
  if (problems.length > 0) throw new HandlerError(problems);
  return handlers;
}

/** A file with several mistakes fails with all of them at once. */
function reasonOf(error: unknown): string {
  const errors: unknown[] = error instanceof AggregateError ? error.errors : [error];
  return errors.map((one) => toFailure(one).message).join("; ");
}

/** Files that may hold a handler; tests, declarations and names that begin with `_` or `.` are not meant. */
function handlerFiles(folder: string): string[] {
  return readdirSync(folder, { withFileTypes: true })
    .filter((entry) => entry.isFile() || entry.isSymbolicLink())
    .map((entry) => entry.name)
    .filter((name) => endings.has(extname(name)) && !/^[_.]|\.(test|spec|d)\.m?[jt]s$/.test(name))
    .sort();
}

async function loadFile(path: string): Promise<LoadedHandler> {
  const module: { default?: unknown } = await import(pathToFileURL(path).href);
  const handler = module.default;
  if (!isHandler(handler)) throw new Error("its default export has no function run(task, ctx)");
  return toLoaded(handler, basename(path, extname(path)));
}

function isHandler(value: unknown): value is TaskHandler {
  return typeof value === "object" && value !== null && "run" in value && typeof value.run === "function";
}

function toLoaded(handler: TaskHandler, fileName: string): LoadedHandler {
  const { type = fileName, maxAttempts, timeout, isolation = "shared", tracePolicy = null } = handler;
  if (!taskTypePattern.test(type)) throw new Error("its type must have 1 to 128 letters, digits or . _ : / -");
  if (maxAttempts !== undefined && !(Number.isInteger(maxAttempts) && maxAttempts >= 1 && maxAttempts <= 100)) {
    throw new Error("its maxAttempts must be a whole number from 1 to 100");
  }
  if (isolation !== "shared" && isolation !== "exclusive") throw new Error("its isolation must be shared or exclusive");
  if (tracePolicy !== null && !tracePolicies.includes(tracePolicy)) {
    throw new Error(`its tracePolicy must be one of ${tracePolicies.join(", ")}`);
  }
  const timeoutMs = timeout === undefined ? null : parseTimeout(timeout);
  return { type, maxAttempts: maxAttempts ?? null, timeoutMs, isolation, tracePolicy, handler };
}

function parseTimeout(text: string): number {
  try {
    return parseDuration(text);
  } catch (error) {
    throw new Error(`its timeout "${text}": ${toFailure(error).message}`);
  }
}
