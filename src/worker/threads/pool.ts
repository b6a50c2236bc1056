/**
 * The handler threads together. Owns which attempt runs where and for how long. Promises an outcome for every run, given
 * only when its handler has stopped, so that no second attempt runs beside the first; and that a thread which never
 * yields delays only what runs on it.
 */

import type { Config } from "../../config.ts";
import type { ThreadState } from "../../telemetry/metrics/task-metrics.ts";
import { createSeats, type Seats } from "../attempts/seats.ts";
import type { HandledType } from "../handlers/loaded-handler.ts";
import { createAssignment } from "./assignment.ts";
import type { RunRequest, RunResult } from "./attempt.ts";
import { createThreads, type Threads, type ThreadsEvents } from "./threads.ts";

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

export interface ThreadPool
  extends Pick<Seats, "free" | "whenFree" | "reserve" | "release" | "setIntake">,
    Pick<Threads, "recycle"> {
  /** Those that can be run now. */
  types(): readonly HandledType[];
  find(type: string): HandledType | undefined;
  /** Loads the handlers again; rejects as the start does, and then nothing has changed. */
  reload(): Promise<void>;
  /** Uses up a reserved seat. */
  run(request: RunRequest): Promise<RunResult>;
  /** Nothing waits for a thread any more: what does is interrupted, and goes back. */
  drain(): void;
  /** Ids of the threads that serve. */
  threadIds(): readonly number[];
  figures(): PoolFigures;
  /** Why the last start of a thread failed, until one succeeds. */
  failure(): string | undefined;
  /** Each thread in one state. */
  threadStates(): Record<ThreadState, number>;
  /** How many threads do not answer within a second, or have a task that ignores its signal. */
  stuck(): Promise<number>;
  close(): void;
}

/** Starts all threads, one after the other. Rejects with `invalid_argument`, a line for each handler that does not load. */
export async function startPool(config: Config, events: PoolEvents): Promise<ThreadPool> {
  const threads = createThreads(config, {
    ...events,
    onRoom: () => {
      assignment.assign();
      seats.wake();
    },
  });
  const { serving, condemned } = threads;
  const loaded = () => serving.filter(({ duty }) => duty !== "starting");
  const assignment = createAssignment(serving, config.threadConcurrency);
  const seats = createSeats(assignment);
  let types = byName(await threads.start());
  return {
    ...seats,
    types: () => [...types.values()],
    find: (type) => types.get(type),
    reload: async () => {
      types = byName(await threads.reload());
    },
    run: (request) => {
      seats.use();
      return assignment.run(request);
    },
    drain: () => {
      threads.drain();
      assignment.drain();
    },
    recycle: threads.recycle,
    threadIds: () => serving.map(({ id }) => id),
    figures: () => ({
      threads: loaded().length,
      busy: serving.filter(({ running }) => running.size > 0).length,
      stuck: [...serving, ...condemned.keys()].filter(({ signalled }) => signalled.size > 0).length,
      condemned: condemned.size,
    }),
    failure: threads.failure,
    threadStates: () => {
      const stuck = serving.filter(({ signalled }) => signalled.size > 0).length;
      const idle = loaded().filter(({ running }) => running.size === 0).length;
      return { idle, busy: loaded().length - idle - stuck, stuck, condemned: condemned.size };
    },
    stuck: async () => {
      const asked = [...loaded(), ...condemned.keys()].map(async (slot) => {
        const isAnswering = await slot.isAnswering();
        return !isAnswering || [...slot.signalled].some((attempt) => attempt.isOverdue());
      });
      return (await Promise.all(asked)).filter((isStuck) => isStuck).length;
    },
    close: threads.close,
  };
}

function byName(types: readonly HandledType[]): Map<string, HandledType> {
  return new Map(types.map((type) => [type.type, type]));
}
