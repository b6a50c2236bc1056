/**
 * A handler thread as the pool has it: what it is there for, which attempts run on it, and what it says. Hands every
 * attempt that ends its outcome.
 */

import type { Config } from "../../config.ts";
import { systemClock } from "../../limits/clock.ts";
import { within } from "../../limits/time-limit.ts";
import { spawnThread } from "../../spawn.ts";
import type { PlainSpan } from "../../telemetry/spans/plain-span.ts";
import { createBatchedPost } from "../../threads/batched-post.ts";
import { type ErrorCode, TaskError } from "../../words/errors.ts";
import { outcomeOfEnd, type Unfinished } from "../attempts/attempt-outcome.ts";
import type { HandlerThreadStart } from "../handlers/handler-thread.ts";
import type { HandledType } from "../handlers/loaded-handler.ts";
import { type Attempt, type RunRequest, type RunResult, startAttempt } from "./attempt.ts";
import { createPulse, type Pulse } from "./pulse.ts";
import { closeRunSpan } from "./run-span.ts";
import type { FromHandlerThread, HandlerLogLine, ToHandlerThread } from "./thread-messages.ts";

export interface Slot {
  readonly id: number;
  readonly name: string;
  /** `reserved`: takes nothing more until an exclusive task can have it; `alone`: an exclusive task has it. */
  duty: "starting" | "open" | "reserved" | "alone";
  readonly running: ReadonlyMap<number, Attempt>;
  /** Those of them that were signalled; while there are any, nothing new is given to the thread. */
  readonly signalled: ReadonlySet<Attempt>;
  readonly pulse: Pulse;
  /** Rejects with `invalid_argument`, a line for each handler that does not load; or says why the thread ended. */
  readonly loaded: Promise<readonly HandledType[]>;
  start(request: RunRequest, settled: (result: RunResult) => void): void;
  /** Asks the thread whether it yields; false when there is no answer within a second. */
  isAnswering(): Promise<boolean>;
  /** Ends the thread, if it has not ended; every attempt on it gets its outcome once nothing of it runs any more. */
  end(outcomeOf: (attempt: Attempt) => Unfinished): void;
  /** Ends the thread; no attempt on it gets an outcome. */
  close(): void;
}

export interface SlotEvents {
  onSpans(spans: readonly PlainSpan[]): void;
  onLog(line: HandlerLogLine): void;
  /** An attempt has ended and has its outcome. */
  onAttemptEnded(slot: Slot): void;
  /** An attempt has not ended within the grace after its signal. */
  onOverdue(slot: Slot): void;
  /** It has answered the question whether it yields. */
  onAnswer(slot: Slot): void;
  onSilence(slot: Slot): void;
  /** It has loaded, and has ended by itself. */
  onExit(slot: Slot, reason: string): void;
}

/**
 * How long an outcome waits for an ended thread to be gone, should it hang in code that is not JavaScript: no longer
 * than an abort of the whole worker may take.
 */
const goneMs = 4000;

/**
 * How long one handler file may take to load. A module that waits for ever at its top level, or computes for ever, gives
 * no sign of it.
 */
const loadLimitMs = 8000;

/** What yields answers in much less. */
const answerLimitMs = 1000;

/** Starts the thread; it is `open` once `loaded` resolves. */
export function startSlot(id: number, config: Config, events: SlotEvents): Slot {
  const name = `handlers-${id}`;
  const running = new Map<number, Attempt>();
  const signalled = new Set<Attempt>();
  /** Those who ask whether it answers. */
  const listening = new Set<() => void>();
  const loading = Promise.withResolvers<readonly HandledType[]>();
  let lastNumber = 0;
  /** The handler file that is being loaded, and the timer of its limit. */
  let loadingFile: string | undefined;
  let loadLimit: ReturnType<typeof setTimeout> | undefined;

  const thread = spawnThread("handlers", name, {
    onMessage: (message) => {
      // What comes from the thread is said by handler-thread.ts and run.ts, or by a handler that posts to us itself.
      if (isOurs(message)) receive(JSON.parse(message) as FromHandlerThread);
    },
    onExit: (reason) => {
      if (slot.duty !== "starting") return events.onExit(slot, reason);
      if (loadingFile === undefined) refuse("internal", `the thread ${name} ended while it started: ${reason}`);
      else refuse("invalid_argument", `handler file "${loadingFile}": it ended its thread while it loaded: ${reason}`);
    },
  });

  const post = createBatchedPost<ToHandlerThread>((batch) => thread.post(batch));

  const receive = (message: FromHandlerThread): void => {
    switch (message.kind) {
      case "loading":
        loadingFile = message.file;
        clearTimeout(loadLimit);
        loadLimit = setTimeout(refuseEndless, loadLimitMs, message.file);
        break;
      case "loaded":
        clearTimeout(loadLimit);
        slot.duty = "open";
        loading.resolve(message.types);
        break;
      case "refused":
        refuse("invalid_argument", message.problems.join("\n"));
        break;
      case "span":
        events.onSpans([message.span]);
        break;
      case "log":
        events.onLog(message.line);
        break;
      case "crashed":
        running.get(message.number)?.crash(message.error);
        break;
      case "progress":
        running.get(message.number)?.say(message.share);
        break;
      case "pong":
        slot.pulse.answered();
        for (const answer of listening) answer();
        listening.clear();
        break;
      case "ended":
        events.onSpans(message.spans);
        finish(message);
    }
  };

  const refuse = (code: ErrorCode, reason: string): void => {
    clearTimeout(loadLimit);
    thread.terminate();
    loading.reject(new TaskError(code, reason));
  };

  const refuseEndless = (file: string): void => {
    const mend = "let its top level end, and connect or wait in run";
    refuse("invalid_argument", `handler file "${file}": it has not loaded within ${loadLimitMs / 1000} s; ${mend}`);
  };

  const finish = ({ number, end }: Extract<FromHandlerThread, { kind: "ended" }>): void => {
    const attempt = running.get(number);
    if (!attempt) return;
    running.delete(number);
    signalled.delete(attempt);
    if (slot.duty === "alone") slot.duty = "open";
    attempt.settle(outcomeOfEnd(end, attempt.signalledFor()));
    events.onAttemptEnded(slot);
  };

  const settleLeft = async (outcomeOf: (attempt: Attempt) => Unfinished): Promise<void> => {
    const outcomes = [...running.values()].map((attempt) => ({ attempt, outcome: outcomeOf(attempt) }));
    const waiting = new AbortController();
    await Promise.race([thread.gone, systemClock.sleep(goneMs, waiting.signal)]);
    waiting.abort();
    for (const { attempt, outcome } of outcomes) {
      const { run, startMs } = attempt;
      events.onSpans(closeRunSpan(run, { slot, startMs, failure: outcome.error }));
      attempt.settle(outcome);
    }
  };

  const close = (): void => {
    clearTimeout(loadLimit);
    slot.pulse.stop();
    for (const attempt of running.values()) attempt.close();
    thread.terminate();
    loading.reject(new TaskError("unavailable", `the thread ${name} was ended while it started`));
  };

  const slot: Slot = {
    id,
    name,
    duty: "starting",
    running,
    signalled,
    pulse: createPulse({
      ask: () => post({ kind: "ping" }),
      onAnswer: () => events.onAnswer(slot),
      onSilence: () => events.onSilence(slot),
    }),
    loaded: loading.promise,
    start: (request, onSettled) => {
      const number = ++lastNumber;
      const attempt = startAttempt(number, request, {
        post,
        onSignalled: (itself) => signalled.add(itself),
        onOverdue: () => events.onOverdue(slot),
        onSettled,
      });
      running.set(number, attempt);
    },
    isAnswering: async () => {
      const answered = Promise.withResolvers<true>();
      const answer = (): void => answered.resolve(true);
      listening.add(answer);
      post({ kind: "ping" });
      const isAnswering = await within(answerLimitMs, answered.promise, false);
      listening.delete(answer);
      return isAnswering;
    },
    end: (outcomeOf) => {
      close();
      void settleLeft(outcomeOf);
    },
    close,
  };
  thread.post({ config, threadId: id, threadName: name } satisfies HandlerThreadStart);
  return slot;
}

function isOurs(message: unknown): message is string {
  return typeof message === "string" && message.startsWith('{"kind":"');
}
