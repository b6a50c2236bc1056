/**
 * A handler thread as the pool has it: what it is there for, which attempts run on it, and what it says. Hands every
 * attempt that ends its outcome.
 */

import type { Config } from "../../config.ts";
import { within } from "../../limits/time-limit.ts";
import { spawnThread, type Thread } from "../../spawn.ts";
import type { PlainSpan } from "../../telemetry/spans/plain-span.ts";
import { preciseNowMs } from "../../telemetry/spans/span-start.ts";
import { type ErrorCode, TaskError } from "../../words/errors.ts";
import { outcomeOfEnd, type Unfinished } from "../attempts/attempt-outcome.ts";
import type { HandlerThreadStart } from "../handlers/handler-thread.ts";
import type { HandledType } from "../handlers/loaded-handler.ts";
import { createPulse, type Pulse } from "./pulse.ts";
import { closeRunSpan } from "./run-span.ts";
import {
  type CancelReason,
  type FromHandlerThread,
  type HandlerLogLine,
  packMessages,
  type ToHandlerThread,
  unpackAnswer,
} from "./thread-messages.ts";
import { type RunRequest, type ThreadRun, ThreadRuns } from "./thread-runs.ts";

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

export class Slot {
  readonly id: number;
  readonly name: string;
  /** `reserved`: takes nothing more until an exclusive task can have it; `alone`: an exclusive task has it. */
  duty: "starting" | "open" | "reserved" | "alone" = "starting";
  readonly pulse: Pulse;
  /** Rejects with `invalid_argument`, a line for each handler that does not load; or says why the thread ended. */
  readonly loaded: Promise<readonly HandledType[]>;
  readonly #events: SlotEvents;
  readonly #thread: Thread;
  readonly #runs: ThreadRuns;
  readonly #loading = Promise.withResolvers<readonly HandledType[]>();
  /** The handler file that is being loaded, and the timer of its limit. */
  #loadingFile: string | undefined;
  #loadLimit: ReturnType<typeof setTimeout> | undefined;
  /** Those who ask whether it answers. */
  readonly #listening = new Set<() => void>();
  #unposted: ToHandlerThread[] = [];

  /** Starts the thread; it is `open` once `loaded` resolves. */
  constructor(id: number, config: Config, events: SlotEvents) {
    this.id = id;
    this.name = `handlers-${id}`;
    this.loaded = this.#loading.promise;
    this.#events = events;
    this.#runs = new ThreadRuns({ post: (message) => this.#post(message), onOverdue: () => events.onOverdue(this) });
    this.pulse = createPulse({
      ask: () => this.#post({ kind: "ping" }),
      onAnswer: () => events.onAnswer(this),
      onSilence: () => events.onSilence(this),
    });
    this.#thread = spawnThread("handlers", this.name, {
      onMessage: (posted) => {
        const message = unpackAnswer(posted);
        if (message) this.#receive(message);
      },
      onExit: (reason) => this.#exited(reason),
    });
    this.#thread.post({ config, threadId: id, threadName: this.name } satisfies HandlerThreadStart);
  }

  get running(): ReadonlyMap<number, ThreadRun> {
    return this.#runs.running;
  }

  /** Those that were signalled; while there are any, nothing new is given to the thread. */
  get signalled(): ReadonlySet<ThreadRun> {
    return this.#runs.signalled;
  }

  start(request: RunRequest): void {
    this.#runs.start(request);
  }

  /** Signals the run, if it is on this thread. */
  cancel(number: number, reason: CancelReason): void {
    this.#runs.cancel(number, reason);
  }

  /** Asks the thread whether it yields; false when there is no answer within a second. */
  async isAnswering(): Promise<boolean> {
    const answered = Promise.withResolvers<true>();
    const answer = (): void => answered.resolve(true);
    this.#listening.add(answer);
    this.#post({ kind: "ping" });
    const isAnswering = await within(answerLimitMs, answered.promise, false);
    this.#listening.delete(answer);
    return isAnswering;
  }

  /** Ends the thread, if it has not ended; every attempt on it gets its outcome once nothing of it runs any more. */
  async end(outcomeOf: (run: ThreadRun) => Unfinished): Promise<void> {
    this.close();
    const outcomes = [...this.running].map(([number, run]) => ({ number, run, outcome: outcomeOf(run) }));
    await within(goneMs, this.#thread.gone, undefined);
    for (const { number, run, outcome } of outcomes) {
      const startMs = preciseNowMs() - (performance.now() - run.beganMs);
      this.#events.onSpans(closeRunSpan(run.request.run, { slot: this, startMs, failure: outcome.error }));
      this.#runs.end(number, () => outcome);
    }
  }

  /** Ends the thread; no attempt on it gets an outcome. */
  close(): void {
    clearTimeout(this.#loadLimit);
    this.pulse.stop();
    this.#runs.close();
    this.#thread.terminate();
    this.#loading.reject(new TaskError("unavailable", `the thread ${this.name} was ended while it started`));
  }

  /** What one piece of code has for the thread goes as one packet, as soon as that code is done. */
  #post(message: ToHandlerThread): void {
    if (this.#unposted.push(message) > 1) return;
    queueMicrotask(() => {
      this.#thread.post(packMessages(this.#unposted));
      this.#unposted = [];
    });
  }

  #receive(message: FromHandlerThread): void {
    switch (message.kind) {
      case "ended":
        this.#ended(message);
        break;
      case "span":
        this.#events.onSpans([message.span]);
        break;
      case "log":
        this.#events.onLog(message.line);
        break;
      case "crashed":
        this.#runs.crash(message.number, message.error);
        break;
      case "progress":
        this.#runs.report(message.number, message.share);
        break;
      case "pong":
        this.pulse.answered();
        for (const answer of this.#listening) answer();
        this.#listening.clear();
        break;
      case "loading":
        this.#loads(message.file);
        break;
      case "loaded":
        clearTimeout(this.#loadLimit);
        this.duty = "open";
        this.#loading.resolve(message.types);
        break;
      case "refused":
        this.#refuse("invalid_argument", message.problems.join("\n"));
    }
  }

  #ended({ number, end, spans }: Extract<FromHandlerThread, { kind: "ended" }>): void {
    this.#events.onSpans(spans);
    if (!this.#runs.end(number, (signalledFor) => outcomeOfEnd(end, signalledFor))) return;
    if (this.duty === "alone") this.duty = "open";
    this.#events.onAttemptEnded(this);
  }

  #loads(file: string): void {
    this.#loadingFile = file;
    clearTimeout(this.#loadLimit);
    this.#loadLimit = setTimeout(() => {
      const mend = "let its top level end, and connect or wait in run";
      const limit = `${loadLimitMs / 1000} s`;
      this.#refuse("invalid_argument", `handler file "${file}": it has not loaded within ${limit}; ${mend}`);
    }, loadLimitMs);
  }

  #refuse(code: ErrorCode, reason: string): void {
    clearTimeout(this.#loadLimit);
    this.#thread.terminate();
    this.#loading.reject(new TaskError(code, reason));
  }

  #exited(reason: string): void {
    const file = this.#loadingFile;
    if (this.duty !== "starting") this.#events.onExit(this, reason);
    else if (file === undefined) this.#refuse("internal", `the thread ${this.name} ended while it started: ${reason}`);
    else this.#refuse("invalid_argument", `handler file "${file}": it ended its thread while it loaded: ${reason}`);
  }
}
