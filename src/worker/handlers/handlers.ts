/** The handlers of a thread: the built-in ones, and those of the user's folder, loaded from disk. */

import { join, relative } from "node:path";
import { toFailure } from "../../words/errors.ts";
import { builtInHandlers } from "./built-in-handlers.ts";
import { handlerFiles, typeOfFile } from "./handler-files.ts";
import { applyTypescriptSettings, importFile, provideModules } from "./import-file.ts";
import { isClass, type LoadedHandler, toHandler, toLoaded } from "./loaded-handler.ts";

export type Handlers = Map<string, LoadedHandler>;

interface HandlerSources {
  /** undefined: there are built-in handlers only. */
  folder: string | undefined;
  /** Where the type `http` may call: kinds of addresses, or host patterns. */
  httpAllow: readonly string[];
}

/** Handlers that could not be loaded; `problems` has a line for each file. */
export class HandlerError extends Error {
  override readonly name = "HandlerError";
  readonly problems: string[];
  constructor(problems: string[]) {
    super(problems.join("\n"));
    this.problems = problems;
  }
}

/**
 * Loads all, in a thread: on the main one Bun would fetch what is not installed. Throws `HandlerError` when a file does
 * not load, is no handler, or two are for one type. `onLoading` gets the name of each file before it is loaded.
 */
export async function loadHandlers(
  { folder, httpAllow }: HandlerSources,
  onLoading: (file: string) => void,
): Promise<Handlers> {
  const handlers: Handlers = new Map();
  for (const handler of builtInHandlers(httpAllow)) {
    const loaded = toLoaded(handler, "");
    handlers.set(loaded.type, loaded);
  }
  if (folder === undefined) return handlers;
  provideModules(folder);
  applyTypescriptSettings();
  const problems: string[] = [];
  const sources = new Map<string, string>();
  for (const file of handlerFiles(folder).handlers) {
    onLoading(file);
    try {
      const loaded = await loadFile(folder, file);
      const earlier = sources.get(loaded.type) ?? (handlers.has(loaded.type) ? "a built-in type" : undefined);
      if (earlier !== undefined) throw new Error(`its type "${loaded.type}" is taken by ${earlier}`);
      sources.set(loaded.type, file);
      handlers.set(loaded.type, { ...loaded, file });
    } catch (error) {
      problems.push(`handler file "${file}": ${reasonOf(error, folder)}`);
    }
  }
  if (problems.length > 0) throw new HandlerError(problems);
  return handlers;
}

/** One line: a file with several mistakes fails with all of them at once. */
export function reasonOf(error: unknown, folder: string): string {
  const errors: unknown[] = error instanceof AggregateError ? error.errors : [error];
  const reasons = errors.map((one) => toFailure(one).message + wantedOf(one) + placeOf(one, folder));
  return reasons.join("; ").replace(/\s*\n\s*/g, " ");
}

/** Bun tells the package that it did not find, or a package that does not name the wanted file in its "exports". */
function wantedOf(error: unknown): string {
  const { specifier } = { specifier: undefined, ...propertiesOf(error) };
  if (typeof specifier !== "string" || toFailure(error).message.includes(`'${specifier}'`)) return "";
  return `: it is not installed, or its package.json does not export "${specifier}"`;
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
    ["position", "stack", "file", "line", "column", "specifier"].flatMap((name) =>
      name in value ? [[name, Reflect.get(value, name)]] : [],
    ),
  );
}

async function loadFile(folder: string, file: string): Promise<LoadedHandler> {
  const module = await importFile(join(folder, file));
  const handler = toHandler(module.default);
  if (handler) return toLoaded(handler, typeOfFile(file));
  if (isClass(module.default)) throw new Error("its default export is a class: export an object that new makes of it");
  throw new Error("its default export has no function run(task, ctx)");
}
