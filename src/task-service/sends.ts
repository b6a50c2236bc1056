/**
 * Sends the messages of tasks, and remembers of each send what the sweeper has to do about it: one that the broker has
 * confirmed is noted in the store, one that failed is repeated. A task is accepted with its commit, so a send is waited for,
 * but not for long: a broker that hangs delays no caller further.
 */

import type { Context } from "@opentelemetry/api";
import type { Clock } from "../limits/clock.ts";
import { createTimeLimit } from "../limits/time-limit.ts";
import type { Queue } from "../queue/queue.ts";
import { sendSpanOf, toTaskMessage } from "../queue/task-message.ts";
import type { DueTask, Sent } from "../store/ports/sends.ts";
import type { NewTask } from "../store/ports/tasks.ts";
import { fromCarrier } from "../telemetry/context/propagation.ts";
import type { Telemetry } from "../telemetry/telemetry.ts";
import { createTrouble } from "../telemetry/trouble.ts";
import type { News } from "./news.ts";

/** A task that was committed in the span of `context`. */
interface MadeTask {
  task: NewTask;
  context: Context;
}

/** A task that is to be sent, and until when the store leaves it to us. */
interface HeldTask {
  readonly task: DueTask;
  readonly untilMs: number;
}

export interface Sends {
  /** Sends those that are due. Resolves when the broker has confirmed or refused them, or after a while. Never rejects. */
  first(made: readonly MadeTask[]): Promise<void>;
  /** The same for tasks that are held, without a limit of time. Gives how many the broker took; the others stay held. */
  again(held: readonly HeldTask[]): Promise<number>;
  /** Takes tasks over whose send has failed. */
  takeFailed(limit: number): HeldTask[];
  /** Takes confirmed sends over that are to be noted by now: most of their tasks have been claimed, and need no note. */
  takeConfirmed(): Sent[];
  /** The same of all sends, once those that are under way are over, or after a while. */
  takeLast(): Promise<Sent[]>;
}

export interface SendsDeps {
  queue: Queue;
  clock: Clock;
  telemetry: Telemetry;
  news: News;
}

/** A send that is not confirmed within this time is repeated by the sweeper. */
export const sendConfirmMs = 30_000;

/** How long callers wait for the sends of their tasks. */
const sendPatienceMs = 2000;
/** Failed sends that are remembered; what is more comes back after `sendConfirmMs`. */
const failedLimit = 10_000;
/** A send whose task is claimed within this time is not noted. */
const noteAfterMs = 1000;

interface DueSend {
  task: DueTask;
  context: Context;
}

export function createSends({ queue, clock, telemetry, news }: SendsDeps): Sends {
  const patience = createPatience(clock);
  const notes = createNotes(clock);
  const trouble = createTrouble({
    log: telemetry.log,
    nowMs: () => clock.monotonicMs(),
    msg: "send failed, the sweeper will repeat it",
    over: "tasks are sent again",
  });
  let failed: HeldTask[] = [];

  /** False for each that the broker does not take now. */
  const send = async (due: readonly DueSend[]): Promise<boolean[]> => {
    const results = await queue.send(
      due.map(({ task, context }) => ({ message: toTaskMessage(task), context, span: sendSpanOf(task) })),
    );
    return due.map(({ task, context }, at) => {
      const result = results[at];
      if (result?.kind === "failed") trouble.met({ error: result.error }, news.logOf(task, context));
      else {
        trouble.passed();
        notes.add({ id: task.id, claim: task.claim });
      }
      return result?.kind !== "failed";
    });
  };

  const sendFirst = async (made: readonly MadeTask[]): Promise<void> => {
    const due = made.map(({ task, context }) => ({ task: toDue(task), context }));
    const areSent = await send(due);
    const untilMs = clock.monotonicMs() + sendConfirmMs;
    for (const [at, { task }] of due.entries()) {
      if (!areSent[at] && failed.length < failedLimit) failed.push({ task, untilMs });
    }
  };

  return {
    first: async (made) => {
      const due = made.filter(({ task }) => task.status === "queued");
      if (due.length > 0) await patience.wait(sendFirst(due));
    },
    again: async (held) => {
      const areSent = await send(held.map(({ task }) => ({ task, context: contextOf(task, telemetry) })));
      const left = held.filter((_, at) => !areSent[at]);
      failed.push(...left);
      return held.length - left.length;
    },
    takeFailed: (limit) => {
      const nowMs = clock.monotonicMs();
      failed = failed.filter(({ untilMs }) => untilMs > nowMs);
      return failed.splice(0, limit);
    },
    takeConfirmed: notes.takeOld,
    takeLast: async () => {
      await patience.waitForAll();
      return notes.takeAll();
    },
  };
}

/**
 * Waits for work, but not for long; what is done later is done all the same. While work goes on that was waited for in vain,
 * no other is waited for: callers that each lose the same time would keep those behind them from ever being answered.
 */
function createPatience(clock: Clock) {
  const limit = createTimeLimit(sendPatienceMs, clock);
  const underWay = new Set<Promise<unknown>>();
  /** Of these, those that were waited for in vain. */
  let late = 0;

  /** Whether it was done in time. */
  const isDone = async (work: Promise<unknown>): Promise<boolean> => {
    const { promise: lost, resolve } = Promise.withResolvers<false>();
    const stop = limit.start(() => resolve(false));
    const isInTime = await Promise.race([work.then(() => true), lost]);
    stop();
    return isInTime;
  };

  return {
    wait: async (work: Promise<unknown>): Promise<void> => {
      let isLate = false;
      const tracked = work.finally(() => {
        underWay.delete(tracked);
        if (isLate) late -= 1;
      });
      underWay.add(tracked);
      if (late > 0 || (await isDone(tracked)) || !underWay.has(tracked)) return;
      isLate = true;
      late += 1;
    },
    waitForAll: () => isDone(Promise.all(underWay)),
  };
}

function toDue({ id, type, correlationId, origin }: NewTask): DueTask {
  return { id, claim: 0, type, correlationId, origin, redrivenAtMs: null };
}

/** What was tried before and has to be sent again did not go well: its trace is kept. */
function contextOf(task: DueTask, telemetry: Telemetry): Context {
  const origin = fromCarrier(task.origin);
  return task.claim > 0 ? telemetry.keep(origin) : origin;
}

/** Confirmed sends: those of the newest second or more, and those before them. */
function createNotes(clock: Clock) {
  let newer: Sent[] = [];
  let older: Sent[] = [];
  let newerSinceMs = clock.monotonicMs();
  return {
    add: (sent: Sent): void => void newer.push(sent),
    /** Those that were confirmed `noteAfterMs` ago or earlier. */
    takeOld: (): Sent[] => {
      const nowMs = clock.monotonicMs();
      if (nowMs - newerSinceMs < noteAfterMs) return [];
      const taken = older;
      [older, newer, newerSinceMs] = [newer, [], nowMs];
      return taken;
    },
    takeAll: (): Sent[] => {
      const taken = [...older, ...newer];
      [older, newer] = [[], []];
      return taken;
    },
  };
}
