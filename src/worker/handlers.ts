/** The handlers of a thread: the built-in ones, and those of the user's folder, loaded from disk. */

import { readdirSync } from "node:fs";
import { basename, extname, join, relative } from "node:path";
import { pathToFileURL } from "node:url";
import type { Config } from "../config.ts";
import { toFailure } from "../errors.ts";
import { builtInHandlers } from "./built-in-handlers.ts";
import { isHandler, type LoadedHandler, toLoaded } from "./loaded-handler.ts";
import { provideModules } from "./provided-modules.ts";

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

/**
 * Loads all; throws `HandlerError` when a file does not load, is no handler, or two are for one type. `onLoading` gets the
 * name of each file before it is loaded.
 */
export async function loadHandlers(config: Config, onLoading: (file: string) => void): Promise<Handlers> {
  const handlers: Handlers = new Map();
  for (const handler of builtInHandlers(config)) {
    const loaded = toLoaded(handler, "");
    handlers.set(loaded.type, loaded);
  }
  if (config.handlers === undefined) return handlers;
  provideModules(config.handlers);
  const problems: string[] = [];
  const sources = new Map<string, string>();
  for (const file of handlerFiles(config.handlers)) {
    onLoading(file);
    try {
      const loaded = await loadFile(join(config.handlers, file));
      const earlier = sources.get(loaded.type) ?? (handlers.has(loaded.type) ? "a built-in type" : undefined);
      if (earlier !== undefined) throw new Error(`its type "${loaded.type}" is taken by ${earlier}`);
      sources.set(loaded.type, file);
      handlers.set(loaded.type, { ...loaded, file });
    } catch (error) {
      problems.push(`handler file "${file}": ${reasonOf(error, config.handlers)}`);
    }
  }
  if (problems.length > 0) throw new HandlerError(problems);
  return handlers;
}

/** A file with several mistakes fails with all of them at once. */
export function reasonOf(error: unknown, folder: string): string {
  const errors: unknown[] = error instanceof AggregateError ? error.errors : [error];
  return errors.map((one) => toFailure(one).message + placeOf(one, folder)).join("; ");
}

/** ` (shop/prices.ts:3:14)`: where in the folder it is wrong, by a mistake that the parser found, or by a stack. */
function placeOf(error: unknown, folder: string): string {
  const { position, stack } = { position: undefined, stack: undefined, ...propertiesOf(error) };
  const parsed = propertiesOf(position);
  const frame = typeof stack === "string" ? /\(?(?:file:\/\/)?(\/[^\n()]*?):(\d+):(\d+)\)?$/m.exec(stack) : null;
  const [file, line, column] = "file" in parsed ? [parsed.file, parsed.line, parsed.column] : (frame?.slice(1) ?? []);
  if (typeof file !== "string" || !file.startsWith(folder)) return "";
  return ` (${relative(folder, file)}:${line}:${column})`;
}

/** Bun's own errors have theirs on their prototype. */
function propertiesOf(value: unknown): Record<string, unknown> {
  if (typeof value !== "object" || value === null) return {};
  return Object.fromEntries(
    ["position", "stack", "file", "line", "column"].flatMap((name) =>
      name in value ? [[name, Reflect.get(value, name)]] : [],
    ),
  );
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
