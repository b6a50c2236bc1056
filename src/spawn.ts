/**
 * The one place that starts threads, of whatever kind. A compiled executable finds a thread's entry only through this
 * literal `new URL("./thread.ts", import.meta.url)`, in a file directly under src/.
 */

import { whyNoThread } from "./host/open-files.ts";
import { runtime } from "./host/runtime.ts";

/** What the entry of a thread can become. */
export type ThreadPart = "store" | "broker" | "role" | "handlers" | "backup";

export interface Thread {
  post(message: unknown, transfer?: Transferable[]): void;
  /** Ends the thread at once, whatever it does; `onExit` is not called then. */
  terminate(): void;
  /**
   * Resolves once nothing of an ended thread runs any more: on Bun that waits for a call outside JavaScript, such as a
   * child process that is waited for. Deno does not tell; there it resolves when the thread is ended.
   */
  readonly gone: Promise<void>;
}

export interface ThreadEvents {
  onMessage(message: unknown): void;
  /** The thread has ended by itself: a crash, or code in it that called for its end. */
  onExit(reason: string): void;
}

/** The first message of every thread: what to become. */
export interface Become {
  become: ThreadPart;
}

/** Without file descriptors for it the thread ends at once, as if it had crashed. */
export function spawnThread(part: ThreadPart, name: string, events: ThreadEvents): Thread {
  const reason = whyNoThread();
  if (reason !== undefined) return endedThread(reason, events);
  const worker = new Worker(new URL("./thread.ts", import.meta.url), { type: "module", name });
  const leaving = Promise.withResolvers<void>();
  let isOver = false;
  const end = (): void => {
    isOver = true;
    worker.terminate();
    if (runtime.name === "deno") leaving.resolve();
  };
  const exit = (reason: string): void => {
    if (isOver) return;
    end();
    events.onExit(reason);
  };
  worker.onmessage = (event: MessageEvent) => {
    if (!isOver) events.onMessage(event.data);
  };
  worker.onerror = (event) => {
    event.preventDefault();
    exit(withoutCodeFrame(event.message) || "uncaught error");
  };
  // Bun tells the end of a thread by this event; Deno tells only errors.
  worker.addEventListener("close", () => {
    leaving.resolve();
    exit("the thread ended");
  });
  worker.postMessage({ become: part } satisfies Become);
  return {
    post: (message, transfer = []) => {
      if (!isOver) worker.postMessage(message, transfer);
    },
    terminate: end,
    gone: leaving.promise,
  };
}

/** Bun ends the whole process when it finds no file descriptor for a thread that it starts. */
function endedThread(reason: string, events: ThreadEvents): Thread {
  let isOver = false;
  queueMicrotask(() => {
    if (!isOver) events.onExit(reason);
  });
  return {
    post: () => {},
    terminate: () => {
      isOver = true;
    },
    gone: Promise.resolve(),
  };
}

/**
 * Bun puts the lines of code before an error's message, with a caret below them, and the stack after it. Neither is part
 * of the reason: code may hold what no log is to have.
 */
function withoutCodeFrame(message: string): string {
  const [reason = ""] = message.split("\n").filter((line) => !/^\s*(\d+ \||\^|at )|^\s*$/.test(line));
  return reason.replace(/^error: /, "");
}
