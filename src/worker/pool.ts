/**
 * The handler threads. Owns which attempt runs where and for how long: at its deadline an attempt is signalled; when it
 * has not ended after a grace, its thread is ended and replaced. What else ran on an ended thread is interrupted, not
 * failed. Promises an outcome for every run, and that a thread which never yields holds up nobody but itself.
 */

import type { Config } from "../config.ts";
import { type Failure, TaskError } from "../errors.ts";
import type { Outcome } from "../retry.ts";
import { spawnThread, type Thread } from "../spawn.ts";
import type { TaskType } from "../task.ts";
import type { PlainSpan } from "../telemetry/plain-span.ts";
import { preciseNowMs } from "../telemetry/precise-time.ts";
import type { HandlerThreadStart } from "./run.ts";
import { closeRunSpan } from "./run-span.ts";
import type {
  CancelReason,
  FromHandlerThread,
  HandlerLogLine,
  Run,
  RunEnd,
  ToHandlerThread,
} from "./thread-messages.ts";

export interface PoolEvents {
  onSpans(spans: readonly PlainSpan[]): void;
  onLog(run: Run, line: HandlerLogLine): void;
  onThreadEnded(name: string, reason: string): void;
}

export interface RunRequest {
  run: Omit<Run, "number">;
  timeoutMs: number;
  /** No other task beside it on its thread. */
  isAlone: boolean;
  /** Aborts the attempt; its reason says why. */
  signal: AbortSignal;
}

export interface RunResult {
  outcome: Outcome;
  durationMs: number;
}

export interface ThreadPool {
  types: readonly TaskType[];
  /** How many more runs would start at once. */
  free(): number;
  /** Resolves when `free()` is above 0, or at once when the signal aborts. */
  whenFree(signal: AbortSignal): Promise<void>;
  run(request: RunRequest): Promise<RunResult>;
  figures(): { threads: number; busy: number; stuck: number };
  close(): void;
}

/** Time between the signal at the deadline and the end of the thread. */
const graceMs = 2000;
const restartDelayMs = 500;
/** Timers count in 32 bits, 24 days; one above that would fire at once. */
const maxTimerMs = 2 ** 31 - 1;

interface Active {
  run: Run;
  startMs: number;
  /** Why it was signalled, if it was. */
  canceled: CancelReason | undefined;
  settle(outcome: Outcome): void;
}

interface Slot {
  id: number;
  name: string;
  thread: Thread;
  /** `reserved`: takes nothing more until an exclusive task can have it; `overdue`: a task ignores its signal. */
  state: "starting" | "open" | "reserved" | "alone" | "overdue";
  running: Map<number, Active>;
}

interface Waiting {
  request: RunRequest;
  resolve(result: RunResult): void;
}

/** Starts all threads, one after the other. Rejects with `invalid_argument`, a line for each handler that does not load. */
export async function startPool(config: Config, events: PoolEvents): Promise<ThreadPool> {
  const slots: Slot[] = [];
  const waiting: Waiting[] = [];
  const freed = new Set<() => void>();
  let types: readonly TaskType[] = [];
  let lastNumber = 0;
  let lastThread = 0;
  let isClosed = false;

  const addThread = (): Promise<void> =>
    new Promise((resolve, reject) => {
      const id = ++lastThread;
      const name = `handlers-${id}`;
      const slot: Slot = {
        id,
        name,
        state: "starting",
        running: new Map(),
        thread: spawnThread("handlers", name, {
          onMessage: (message) => receive(slot, message as FromHandlerThread, resolve, reject),
          onExit: (reason) => {
            reject(new Error(`the thread ${name} ended while it started: ${reason}`));
            lose(slot, reason);
          },
        }),
      };
      slots.push(slot);
      slot.thread.post({ config, threadId: id, threadName: name } satisfies HandlerThreadStart);
    });

  const receive = (
    slot: Slot,
    message: FromHandlerThread,
    started: () => void,
    refused: (error: TaskError) => void,
  ): void => {
    switch (message.kind) {
      case "loaded":
        types = message.types;
        slot.state = "open";
        started();
        assign();
        return;
      case "refused":
        slots.splice(slots.indexOf(slot), 1);
        slot.thread.terminate();
        refused(new TaskError("invalid_argument", message.problems.join("\n")));
        return;
      case "span":
        events.onSpans([message.span]);
        return;
      case "log": {
        const active = slot.running.get(message.number);
        if (active) events.onLog(active.run, message.line);
        return;
      }
      case "ended": {
        const active = slot.running.get(message.number);
        if (!active) return;
        events.onSpans(message.spans);
        slot.running.delete(message.number);
        active.settle(toOutcome(message.end, active.canceled));
        reopen(slot);
        assign();
      }
    }
  };

  /** A slot takes tasks again once nothing on it is overdue, and once an exclusive task has left it. */
  const reopen = (slot: Slot): void => {
    const isOverdue = [...slot.running.values()].some(({ canceled }) => canceled !== undefined);
    if (slot.state === "overdue" && !isOverdue) slot.state = "open";
    if (slot.state === "alone") slot.state = "open";
  };

  const assign = (): void => {
    for (let at = 0; at < waiting.length; ) {
      const item = waiting[at];
      const slot = item && (item.request.isAlone ? slotForAlone() : leastLoaded());
      if (item && slot) {
        waiting.splice(at, 1);
        start(slot, item);
      } else at += 1;
    }
    if (free() > 0) for (const wake of freed) wake();
  };

  const leastLoaded = (): Slot | undefined => {
    let best: Slot | undefined;
    for (const slot of slots) {
      const hasRoom = slot.state === "open" && slot.running.size < config.threadConcurrency;
      if (hasRoom && (!best || slot.running.size < best.running.size)) best = slot;
    }
    return best;
  };

  /** An idle slot; or none yet, and the least loaded one is kept free of new tasks until it is idle. */
  const slotForAlone = (): Slot | undefined => {
    const idle = slots.find(({ state, running }) => (state === "open" || state === "reserved") && running.size === 0);
    if (idle) {
      idle.state = "alone";
      return idle;
    }
    const chosen = slots.some(({ state }) => state === "reserved") ? undefined : leastLoaded();
    if (chosen) chosen.state = "reserved";
    return undefined;
  };

  const start = (slot: Slot, { request, resolve }: Waiting): void => {
    const number = ++lastNumber;
    const startMs = preciseNowMs();
    const cancel = (reason: CancelReason): void => {
      if (active.canceled) return;
      active.canceled = reason;
      clearTimeout(timer);
      slot.thread.post({ kind: "cancel", number, reason } satisfies ToHandlerThread);
      slot.state = "overdue";
      timer = setTimeout(() => end(slot, `a task did not end ${graceMs} ms after its signal`), graceMs);
    };
    const onAbort = (): void => cancel(request.signal.reason as CancelReason);
    let timer = setTimeout(() => cancel("timed_out"), Math.min(request.timeoutMs, maxTimerMs));
    const active: Active = {
      run: { ...request.run, number },
      startMs,
      canceled: undefined,
      settle: (outcome) => {
        clearTimeout(timer);
        request.signal.removeEventListener("abort", onAbort);
        resolve({ outcome, durationMs: preciseNowMs() - startMs });
      },
    };
    slot.running.set(number, active);
    slot.thread.post({ kind: "run", run: active.run } satisfies ToHandlerThread);
    if (request.signal.aborted) onAbort();
    else request.signal.addEventListener("abort", onAbort);
  };

  /** Ends a thread that does not let go. What was signalled has its outcome; what ran beside it is interrupted. */
  const end = (slot: Slot, reason: string): void => {
    slot.thread.terminate();
    remove(slot, reason, ({ canceled }) =>
      canceled ? signalled(canceled) : { kind: "interrupted", isSuspect: false, error: interrupted(reason) },
    );
  };

  /** A thread has ended by itself. With one task on it, that task did it; with several, each may have. */
  const lose = (slot: Slot, reason: string): void => {
    const isOnly = slot.running.size === 1;
    remove(slot, reason, () =>
      isOnly
        ? { kind: "crashed", error: { type: "crashed", message: `the handler ended its thread: ${reason}` } }
        : { kind: "interrupted", isSuspect: true, error: interrupted(reason) },
    );
  };

  const remove = (slot: Slot, reason: string, outcomeOf: (active: Active) => Outcome): void => {
    if (!slots.includes(slot)) return;
    slots.splice(slots.indexOf(slot), 1);
    if (isClosed) return;
    events.onThreadEnded(slot.name, reason);
    for (const active of slot.running.values()) {
      const outcome = outcomeOf(active);
      if (outcome.kind !== "succeeded") {
        events.onSpans(closeRunSpan(active.run, { slot, startMs: active.startMs, failure: outcome.error }));
      }
      active.settle(outcome);
    }
    replace();
  };

  const replace = (): void => {
    addThread().catch((error: unknown) => {
      events.onThreadEnded("handlers", `could not be replaced: ${String(error)}`);
      setTimeout(() => !isClosed && replace(), restartDelayMs);
    });
  };

  const free = (): number => {
    let room = 0;
    for (const { state, running } of slots) if (state === "open") room += config.threadConcurrency - running.size;
    return Math.max(0, room - waiting.length);
  };

  for (let count = 0; count < config.threads; count++) await addThread();

  return {
    types,
    free,
    whenFree: (signal) =>
      new Promise((resolve) => {
        const wake = (): void => {
          freed.delete(wake);
          signal.removeEventListener("abort", wake);
          resolve();
        };
        if (free() > 0 || signal.aborted) return resolve();
        freed.add(wake);
        signal.addEventListener("abort", wake);
      }),
    run: (request) =>
      new Promise((resolve) => {
        waiting.push({ request, resolve });
        assign();
      }),
    figures: () => ({
      threads: slots.length,
      busy: slots.filter(({ running }) => running.size > 0).length,
      stuck: slots.filter(({ state }) => state === "overdue").length,
    }),
    close: () => {
      isClosed = true;
      for (const { thread } of slots) thread.terminate();
    },
  };
}

/** A handler that ends after its signal ends as what it was signalled for, whatever it returned or threw. */
function toOutcome(end: RunEnd, canceled: CancelReason | undefined): Outcome {
  if (canceled) return signalled(canceled);
  if (end.kind === "returned") return { kind: "succeeded", result: end.result };
  const { error, fatal, retryAfterMs } = end;
  return { kind: "failed", error, fatal, ...(retryAfterMs !== undefined && { retryAfterMs }) };
}

function signalled(reason: CancelReason): Outcome {
  switch (reason) {
    case "timed_out":
      return { kind: "timed_out", error: { type: "timed_out", message: "the attempt did not end by its deadline" } };
    case "lease_lost":
      return { kind: "lease_lost", error: { type: "lease_lost", message: "another worker may run the task now" } };
    case "canceled":
    case "aborted":
      return { kind: "interrupted", isSuspect: false, error: interrupted("the worker stops") };
  }
}

function interrupted(reason: string): Failure {
  return { type: "interrupted", message: `cut short through no fault of its own: ${reason}` };
}
