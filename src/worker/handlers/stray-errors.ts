/**
 * Inside a handler's thread: errors that no code catches, such as those of a timer, of an emitter, or of a promise that
 * nothing awaits. The error of a run fails that run alone; the error of a run that has ended, or of no run, is logged. The
 * thread serves on in each case. While the handlers load, such an error is a reason to refuse its file.
 *
 * The run is known by the async context. Bun has none for a rejection, and Deno none for a timer that throws: then the
 * handler's file in the stack says the type, and the run is known if it is the only one of that type.
 */

import { join } from "node:path";
import { context as contextApi, trace } from "@opentelemetry/api";
import { fromCarrier, spanContextOf } from "../../telemetry/context/propagation.ts";
import { type Failure, toFailure } from "../../words/errors.ts";
import { isInstance } from "../../words/text.ts";
import type { FromHandlerThread } from "../threads/thread-messages.ts";
import { reasonOf } from "./handlers.ts";
import type { RunScope, RunScopes } from "./run.ts";

interface StrayErrorsDeps {
  scopes: RunScopes;
  /** The handlers' folder; undefined: there are built-in handlers only. */
  folder: string | undefined;
  /** The type of a loaded handler, by its file. */
  typeOf(file: string): string | undefined;
  tell(message: FromHandlerThread): void;
}

export interface StrayErrors {
  /** This file is loaded from now on. */
  loading(file: string): void;
  /** All files are loaded: gives what went wrong meanwhile, and takes what comes later as errors of runs. */
  loaded(): Promise<string[]>;
}

/** A flood of errors, as of an interval that always throws, must not become a flood of lines. */
const maxLogged = 20;
const perMs = 10_000;

class ProcessEndError extends Error {
  override readonly name = "ProcessEndError";
}

/** Takes every uncaught error of this thread from now on. */
export function takeStrayErrors({ scopes, folder, typeOf, tell }: StrayErrorsDeps): StrayErrors {
  const files = new Set<string>();
  const problems: string[] = [];
  let loading: string | undefined;
  let isLoading = true;
  const logStray = createStrayLog(tell);

  const onlyOf = (file: string | undefined): RunScope | undefined => {
    const type = file === undefined ? undefined : typeOf(file);
    return type === undefined ? undefined : scopes.onlyOf(type);
  };

  const take = (thrown: unknown): void => {
    const error = toFailure(thrown);
    const file = fileOf(error.stack, folder, files);
    if (isLoading && folder !== undefined) {
      problems.push(
        `handler file "${file ?? loading}": ${reasonOf(thrown, folder)}, in a timer or promise that it started`,
      );
      return;
    }
    const scope = scopes.current() ?? onlyOf(file);
    if (scope && !scope.isOver && !scope.crash) crash(scope, error);
    // It is how the run ends, and was reported.
    else if (isInstance(thrown, ProcessEndError) && scope?.crash) return;
    else logStray(error, file, scope?.run);
  };

  const crash = (scope: RunScope, error: Failure): void => {
    scope.crash = error;
    tell({ kind: "crashed", number: scope.run.number, error });
  };

  keepListener("uncaughtException", take);
  keepListener("unhandledRejection", take);
  refuseEnds((call) => {
    const error = new ProcessEndError(`${call} was called: a handler cannot end its process`);
    const scope = scopes.current() ?? onlyOf(fileOf(error.stack, folder, files));
    if (scope && !scope.isOver && !scope.crash) crash(scope, toFailure(error));
    return error;
  });

  return {
    loading: (file) => {
      files.add(file);
      loading = file;
      tell({ kind: "loading", file });
    },
    loaded: async () => {
      // The timers that the files have set for at once come first.
      await new Promise((resolve) => setTimeout(resolve, 0));
      isLoading = false;
      return problems;
    },
  };
}

/** The handler file that an error comes from, by the uppermost frame of its stack that is in one. */
function fileOf(stack = "", folder: string | undefined, files: ReadonlySet<string>): string | undefined {
  let first: string | undefined;
  let firstAt = Number.POSITIVE_INFINITY;
  for (const file of folder === undefined ? [] : files) {
    const at = stack.indexOf(`${join(folder ?? "", file)}:`);
    if (at < 0 || at >= firstAt) continue;
    first = file;
    firstAt = at;
  }
  return first;
}

/** Listens for ever: libraries that reset a process for themselves remove the listeners of all. */
function keepListener(event: "uncaughtException" | "unhandledRejection", listener: (thrown: unknown) => void): void {
  process.on(event, listener);
  for (const method of ["removeAllListeners", "removeListener", "off"] as const) {
    const remove = process[method];
    Object.assign(process, {
      [method]: (...args: unknown[]) => {
        Reflect.apply(remove, process, args);
        const isKept = process.rawListeners(event).some((each) => Object.is(each, listener));
        if (!isKept) process.on(event, listener);
        return process;
      },
    });
  }
}

/** What ends the process, or this thread, ends also what other tasks run there: it throws `refusal` instead. */
function refuseEnds(refusal: (call: string) => Error): void {
  const kill = process.kill.bind(process);
  process.exit = (code) => {
    throw refusal(`process.exit(${code ?? ""})`);
  };
  process.abort = () => {
    throw refusal("process.abort()");
  };
  process.kill = (pid, signal) => {
    // Signal 0 only asks whether the process is there; 0 and negative numbers are groups, its own among them.
    if (signal === 0 || (pid !== process.pid && pid !== 0 && pid !== -1)) return kill(pid, signal);
    throw refusal("process.kill() of the own process");
  };
}

function createStrayLog(tell: StrayErrorsDeps["tell"]) {
  let logged = 0;
  let notLogged = 0;
  let sinceMs = performance.now();
  return (error: Failure, file: string | undefined, run: RunScope["run"] | undefined): void => {
    if (performance.now() - sinceMs > perMs) {
      logged = 0;
      sinceMs = performance.now();
    }
    if (logged >= maxLogged) {
      notLogged += 1;
      return;
    }
    logged += 1;
    const whose = run ? "an error of a task came after its end" : "an error of no known task came";
    const fields = {
      ...(file !== undefined && { handler_file: file }),
      ...(notLogged > 0 && { not_logged: notLogged }),
      error,
    };
    notLogged = 0;
    const span = trace.getSpanContext(contextApi.active()) ?? (run && spanContextOf(fromCarrier(run.carrier)));
    const task = run && { taskId: run.taskId, type: run.type, attempt: run.attempt, correlationId: run.correlationId };
    tell({ kind: "log", line: { level: "error", msg: `${whose}, no code caught it`, fields, task, span } });
  };
}
