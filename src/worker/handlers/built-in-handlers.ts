/** Task types for trying things. */

import { JsonText } from "../../words/json-text.ts";
import { createHttpHandler } from "../http/task.ts";
import { payloadOf } from "./built-in-payloads.ts";
import type { TaskHandler } from "./handler.ts";

/** That of the runtime: the one of handlers throws. */
const endThread = process.exit.bind(process);

/** `httpAllow`: where the type `http` may call. */
export function builtInHandlers(httpAllow: readonly string[]): TaskHandler[] {
  return [
    // With every digit: numbers of `payload` are those that JavaScript holds.
    { type: "echo", run: (task) => new JsonText(task.payloadText) },
    {
      type: "sleep",
      run: async (task, ctx) => {
        const { ms } = payloadOf("sleep", task, ctx);
        await pause(ms, ctx.signal);
        return { slept_ms: ms };
      },
    },
    {
      type: "flaky",
      run: async (task, ctx) => {
        const { failures } = payloadOf("flaky", task, ctx);
        if (task.attempt <= failures) throw new Error(`failure ${task.attempt} of ${failures}, as asked`);
        return { attempts: task.attempt };
      },
    },
    {
      type: "fail",
      run: async (task, ctx) => {
        const payload = payloadOf("fail", task, ctx);
        const message = payload?.message ?? "failed, as asked";
        throw payload?.fatal ? ctx.fatal(message) : new Error(message);
      },
    },
    // In a thread this ends the thread, not the process: a crash, as a fault in native code would be.
    { type: "crash", run: () => endThread(70) },
    {
      type: "spin",
      run: () => {
        for (;;);
      },
    },
    createHttpHandler(httpAllow),
  ];
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const stop = (): void => {
      clearTimeout(timer);
      reject(signal.reason);
    };
    const timer = setTimeout(() => {
      signal.removeEventListener("abort", stop);
      resolve();
    }, ms);
    if (signal.aborted) stop();
    else signal.addEventListener("abort", stop, { once: true });
  });
}
