/** A handlers' thread from its start: loads the handlers, says which types they are, then runs what comes. */

import { ROOT_CONTEXT } from "@opentelemetry/api";
import { type Config, environmentWith } from "../../config.ts";
import { runtime } from "../../host/runtime.ts";
import { fetchPlacesOfThread } from "../../http/fetch.ts";
import type { LogLevel } from "../../settings/parsers.ts";
import { createRedaction } from "../../telemetry/logs/redact.ts";
import { startThreadTracing } from "../../telemetry/spans/thread-tracing.ts";
import { toFailure } from "../../words/errors.ts";
import { createHandlerCalls } from "../http/calls.ts";
import type { FromHandlerThread, ToHandlerThread } from "../threads/thread-messages.ts";
import { captureOutput, type LoggedText, lineIn, toPrinted } from "./handler-log.ts";
import { HandlerError, type Handlers, loadHandlers } from "./handlers.ts";
import { createRunner, createRunScopes } from "./run.ts";
import { type StrayErrors, takeStrayErrors } from "./stray-errors.ts";

export interface HandlerThreadStart {
  config: Config;
  threadId: number;
  threadName: string;
}

export async function startHandlerThread(
  { config, threadId, threadName }: HandlerThreadStart,
  tell: (message: FromHandlerThread) => void,
): Promise<(message: ToHandlerThread) => void> {
  let handlers: Handlers = new Map();
  const redaction = createRedaction(config.redactKeys);
  const write = (level: LogLevel, logged: LoggedText): void =>
    tell({ kind: "log", line: lineIn(ROOT_CONTEXT, level, logged) });
  captureOutput({
    onLogged: (level, given) => write(level, toPrinted(given, redaction)),
    onWritten: (level, msg) => write(level, { msg, fields: undefined }),
  });
  const calls = createHandlerCalls({ places: fetchPlacesOfThread(config.threads), fetch });
  globalThis.fetch = Object.assign(calls.fetch, { preconnect: fetch.preconnect });
  const scopes = createRunScopes();
  const strays = takeStrayErrors({
    scopes,
    folder: config.handlers,
    typeOf: (wanted) => [...handlers.values()].find(({ file }) => file === wanted)?.type,
    tell,
  });
  runForksByBun();
  const isExported = !config.otel.disabled && config.otel.tracesUrl !== undefined;
  // Tracing first: a handler file may ask for a tracer while it is loaded.
  const run = createRunner({
    find: (type) => handlers.get(type),
    scopes,
    // Spans that the worker would not export need not cross to it.
    startTracing: (deliver) => startThreadTracing(config, isExported ? deliver : undefined),
    redaction,
    thread: { id: threadId, name: threadName },
    calls,
    maxResultBytes: config.maxResult,
    tell,
  });
  const loaded = await load(config, strays);
  if (Array.isArray(loaded)) {
    tell({ kind: "refused", problems: loaded });
    return () => {};
  }
  handlers = loaded;
  tell({ kind: "loaded", types: [...handlers.values()].map(({ handler: _, file: __, ...type }) => type) });
  return run;
}

/** The handlers, or what is wrong with them. */
async function load(config: Config, strays: StrayErrors): Promise<Handlers | string[]> {
  try {
    const handlers = await loadHandlers({ folder: config.handlers, httpAllow: httpAllowOf(config) }, strays.loading);
    const problems = await strays.loaded();
    return problems.length > 0 ? problems : handlers;
  } catch (error) {
    const problems = error instanceof HandlerError ? error.problems : [toFailure(error).message];
    return [...problems, ...(await strays.loaded())];
  }
}

type Spawn = (...given: [unknown, unknown?]) => unknown;

/**
 * `child_process.fork` of all handlers of this thread, in the compiled executable. A fork is a child with a channel to it,
 * which Bun starts by `Bun.spawn`. It would start this very executable, which is Throughline and not a runtime; with
 * `BUN_BE_BUN` in its environment it is the Bun that is in it (bun.com/docs/bundler/executables, "Act as the Bun CLI"). Only
 * forks get the variable: any other program that was compiled by Bun would take it, too.
 */
function runForksByBun(): void {
  if (!runtime.isCompiled) return;
  const bun: unknown = Reflect.get(globalThis, "Bun");
  // The one signature for both of its forms: `spawn(command, options)` and `spawn({ cmd, ...options })`.
  const spawn = Reflect.get(Object(bun), "spawn") as Spawn;
  const spawnByBun: Spawn = (first, second) => {
    const options: Record<string, unknown> = { ...Object(Array.isArray(first) ? second : first) };
    const [file] = Array.isArray(first) ? first : Array.isArray(options.cmd) ? options.cmd : [];
    if (file !== process.execPath || options.ipc === undefined) return spawn(first, second);
    const beBun = { BUN_BE_BUN: "1" };
    const env = options.env === undefined ? environmentWith(beBun) : { ...Object(options.env), ...beBun };
    return Array.isArray(first) ? spawn(first, { ...options, env }) : spawn({ ...options, env });
  };
  Reflect.set(Object(bun), "spawn", spawnByBun);
}

/** In development services of this machine can be called as well. */
function httpAllowOf({ httpAllow, environment }: Config): string[] {
  if (httpAllow.length > 0) return httpAllow;
  return environment === "development" ? ["public", "loopback"] : ["public"];
}
