/**
 * The handler threads together. Owns which attempt runs where and for how long. Promises an outcome for every run, given
 * only when its handler has stopped, so that no second attempt runs beside the first; and that a thread which never
 * yields delays only what runs on it.
 */

import type { Config } from "../../config.ts";
import type { ThreadState } from "../../telemetry/metrics/task-metrics.ts";
import { Intake } from "../attempts/intake.ts";
import type { HandledType } from "../handlers/loaded-handler.ts";
import { Assignment } from "./assignment.ts";
import type { Slot } from "./slot.ts";
import type { CancelReason } from "./thread-messages.ts";
import type { RunRequest } from "./thread-runs.ts";
import { HandlerThreads, type ThreadsEvents } from "./threads.ts";

export type PoolEvents = Omit<ThreadsEvents, "onRoom">;

interface PoolFigures {
  /** Threads that serve: their handlers are loaded. */
  threads: number;
  /** Of them, those with a task. */
  busy: number;
  /** Threads with a task that was signalled and has not ended. */
  stuck: number;
  /** Threads that take no new task and are ended when theirs have finished. */
  condemned: number;
}

/** Starts all threads, one after the other. Rejects with `invalid_argument`, a line for each handler that does not load. */
export async function startPool(config: Config, events: PoolEvents): Promise<ThreadPool> {
  const pool = new ThreadPool(config, events);
  await pool.start();
  return pool;
}

export class ThreadPool {
  /** How many more runs the pool can start; each run uses up a place that was reserved there. */
  readonly intake: Intake;
  readonly #threads: HandlerThreads;
  readonly #assignment: Assignment;
  #types: ReadonlyMap<string, HandledType> = new Map();

  constructor(config: Config, events: PoolEvents) {
    this.#threads = new HandlerThreads(config, {
      ...events,
      onRoom: () => {
        this.#assignment.assign();
        this.intake.wake();
      },
    });
    this.#assignment = new Assignment(this.#threads.serving, config.threadConcurrency);
    this.intake = new Intake(this.#assignment);
  }

  async start(): Promise<void> {
    this.#types = byName(await this.#threads.start());
  }

  /** Those that can be run now. */
  types(): readonly HandledType[] {
    return [...this.#types.values()];
  }

  find(type: string): HandledType | undefined {
    return this.#types.get(type);
  }

  /** Loads the handlers again; rejects as the start does, and then nothing has changed. */
  async reload(): Promise<void> {
    this.#types = byName(await this.#threads.reload());
  }

  run(request: RunRequest): void {
    this.intake.use();
    this.#assignment.run(request);
  }

  /** Signals the run of this number, wherever it is. */
  cancel(number: number, reason: CancelReason): void {
    if (this.#assignment.cancel(number, reason)) return;
    for (const slot of this.#all()) slot.cancel(number, reason);
  }

  /** Nothing waits for a thread any more: what does is interrupted, and goes back. */
  drain(): void {
    this.#threads.drain();
    this.#assignment.stop("draining");
  }

  /** Nothing starts any more, and all that runs is signalled. */
  abort(): void {
    this.#assignment.stop("aborting");
    for (const slot of this.#all()) for (const number of slot.running.keys()) slot.cancel(number, "aborted");
  }

  /** Has one of these threads replaced: see `HandlerThreads`. */
  recycle(ids: readonly number[]): readonly number[] {
    return this.#threads.recycle(ids);
  }

  /** Ids of the threads that serve. */
  threadIds(): readonly number[] {
    return this.#threads.serving.map(({ id }) => id);
  }

  figures(): PoolFigures {
    return {
      threads: this.#loaded().length,
      busy: this.#threads.serving.filter(({ running }) => running.size > 0).length,
      stuck: this.#all().filter(({ signalled }) => signalled.size > 0).length,
      condemned: this.#threads.condemned.size,
    };
  }

  /** Why the last start of a thread failed, until one succeeds. */
  failure(): string | undefined {
    return this.#threads.failure;
  }

  /** Each thread in one state. */
  threadStates(): Record<ThreadState, number> {
    const loaded = this.#loaded();
    const stuck = this.#threads.serving.filter(({ signalled }) => signalled.size > 0).length;
    const idle = loaded.filter(({ running }) => running.size === 0).length;
    return { idle, busy: loaded.length - idle - stuck, stuck, condemned: this.#threads.condemned.size };
  }

  /** How many threads do not answer within a second, or have a task that ignores its signal. */
  async stuck(): Promise<number> {
    const asked = [...this.#loaded(), ...this.#threads.condemned.keys()].map(
      async (slot) => !(await slot.isAnswering()) || [...slot.signalled].some(({ isOverdue }) => isOverdue),
    );
    return (await Promise.all(asked)).filter((isStuck) => isStuck).length;
  }

  close(): void {
    this.#threads.close();
  }

  #loaded(): Slot[] {
    return this.#threads.serving.filter(({ duty }) => duty !== "starting");
  }

  #all(): Slot[] {
    return [...this.#threads.serving, ...this.#threads.condemned.keys()];
  }
}

function byName(types: readonly HandledType[]): Map<string, HandledType> {
  return new Map(types.map((type) => [type.type, type]));
}
