/**
 * The sweeper, in every task service: finds the tasks that were not sent, are due, were left behind or lost by the
 * broker, and sends them with the context that was stored with them; removes what ended long ago. Two sweepers at once
 * do no harm: a second message cannot claim.
 */

import type { Context } from "@opentelemetry/api";
import type { Clock } from "../limits/clock.ts";
import { repeat as repeatStep, tried } from "../limits/repeat.ts";
import type { Queue } from "../queue/queue.ts";
import type { DueTask, SendStore, Sent } from "../store/ports/sends.ts";
import type { Actor } from "../store/ports/tasks.ts";
import { fromCarrier } from "../telemetry/context/propagation.ts";
import type { Logger } from "../telemetry/logs/log.ts";
import { housekeeping } from "../telemetry/spans/tracing.ts";
import { createTrouble } from "../telemetry/trouble.ts";

export interface SweeperDeps {
  store: SendStore;
  queue: Queue;
  clock: Clock;
  log: Logger;
  /** Sends the task's message; false when the broker did not take it. */
  send(task: DueTask, context: Context): Promise<boolean>;
  actor(): Actor;
  /** Tasks that ended longer ago are removed; 0: never. */
  retentionMs: number;
}

export interface Sweeper {
  /** Notes a send that the broker has confirmed; told to the store with the next sweep, or by `tellConfirmed`. */
  confirm(sent: Sent): void;
  /** Takes a task whose first send has failed: it is sent again as soon as the broker takes any. */
  repeat(task: DueTask): void;
  tellConfirmed(): Promise<void>;
  /** Runs until the signal aborts. */
  loop(signal: AbortSignal): Promise<void>;
}

/** A send that is not confirmed within this time is repeated by the sweeper. */
export const sendConfirmMs = 30_000;

/** How often the sweeper looks when it knows of nothing due. */
const sweepEveryMs = 1000;
/** Tasks sent by one sweep; the next follows at once while there are as many. */
const sweepLimit = 100;

/** Failed sends that are remembered; what is more comes back after `sendConfirmMs`. */
const repeatLimit = 10_000;

/** A send that has failed, and until when the store leaves its task to us. */
interface FailedSend {
  readonly task: DueTask;
  readonly untilMs: number;
}

/** How often the broker's messages are compared with the tasks that wait for them, and while some are missing. */
const compareEveryMs = 5000;
const compareAgainMs = 1000;
/** Younger sends may not show in the broker's figures yet. */
const figuresSettleMs = 2000;
/** Tasks sent again after one comparison. */
const lostLimit = 1000;
/** A task that waited this long is sent again whatever the figures say, a few at a time: they are approximate. */
const longWaitMs = 10 * 60_000;
const longWaitLimit = 10;

/** Tasks looked at by one step of pruning, the pause between two steps, and between two walks. */
const pruneLimit = 200;
const pruneStepMs = 20;
const pruneEveryMs = 10 * 60_000;

export function createSweeper(deps: SweeperDeps): Sweeper {
  const { store, queue, clock, log } = deps;
  const nowMs = (): number => clock.monotonicMs();
  const troubles = {
    sweep: createTrouble({ log, nowMs, msg: "sweep failed", over: "sweeps succeed again" }),
    compare: createTrouble({
      log,
      nowMs,
      msg: "comparing with the broker failed",
      over: "comparing with the broker succeeds again",
    }),
    prune: createTrouble({ log, nowMs, msg: "pruning failed", over: "pruning succeeds again" }),
  };
  let confirmed: Sent[] = [];
  let isBrokerAway = false;
  let failed: FailedSend[] = [];
  let wasMissing = false;
  let compareAtMs = 0;
  let pruneAtMs = 0;
  let prunedUpTo = "";

  const loop = (signal: AbortSignal): Promise<void> => repeatStep(step, { signal, clock });

  /** What fails is tried again with the next step. */
  const step = async (): Promise<number> => {
    const sent = await tried(troubles.sweep, sweep);
    await tried(troubles.compare, resendLost);
    await tried(troubles.prune, prune);
    if (sent === sweepLimit) return 0;
    return prunedUpTo === "" ? sweepEveryMs : pruneStepMs;
  };

  /**
   * Gives how many the broker took. While it takes none, one task at a time finds out whether it does again, and the
   * others stay due.
   */
  const sweep = async (): Promise<number> => {
    await tellConfirmed();
    const limit = isBrokerAway ? 1 : sweepLimit;
    const untilMs = clock.monotonicMs() + sendConfirmMs;
    const due = takeFailed(limit);
    const taken = due.length < limit ? await store.takeDue(limit - due.length, sendConfirmMs, deps.actor()) : [];
    due.push(...taken.map((task) => ({ task, untilMs })));
    const results = await Promise.all(due.map(({ task }) => deps.send(task, fromCarrier(task.origin))));
    const sent = results.filter((isSent) => isSent).length;
    failed.push(...due.filter((_, index) => !results[index]));
    isBrokerAway = due.length > 0 && sent === 0;
    return sent;
  };

  const tellConfirmed = async (): Promise<void> => {
    if (confirmed.length === 0) return;
    const sent = confirmed;
    confirmed = [];
    await store.markSent(sent, clock.nowMs(), housekeeping);
  };

  /**
   * A broker that lost messages shows fewer than there are tasks waiting, twice in a row. The figures are read first:
   * what is claimed in between then makes nothing seem lost.
   */
  const resendLost = async (): Promise<void> => {
    if (clock.monotonicMs() < compareAtMs) return;
    compareAtMs = clock.monotonicMs() + compareEveryMs;
    const { visible, delayed } = await queue.depth();
    const nowMs = clock.nowMs();
    const missing = Math.max(0, (await store.countWaiting(nowMs - figuresSettleMs)) - visible - delayed);
    if (missing > 0) compareAtMs = clock.monotonicMs() + compareAgainMs;
    if (missing > 0 && wasMissing) {
      const limit = Math.min(missing, lostLimit);
      const count = await store.resendWaiting(nowMs - figuresSettleMs, limit, nowMs);
      log.warn("the broker has lost messages, their tasks are sent again", { missing, count });
    }
    wasMissing = missing > 0;
    await store.resendWaiting(nowMs - longWaitMs, longWaitLimit, nowMs);
  };

  const prune = async (): Promise<void> => {
    if (deps.retentionMs === 0 || clock.monotonicMs() < pruneAtMs) return;
    const { next } = await store.prune(clock.nowMs() - deps.retentionMs, prunedUpTo, pruneLimit);
    prunedUpTo = next ?? "";
    if (next === null) pruneAtMs = clock.monotonicMs() + Math.min(pruneEveryMs, deps.retentionMs);
  };

  const takeFailed = (limit: number): FailedSend[] => {
    const nowMs = clock.monotonicMs();
    failed = failed.filter(({ untilMs }) => untilMs > nowMs);
    return failed.splice(0, limit);
  };

  const repeat = (task: DueTask): void => {
    if (failed.length < repeatLimit) failed.push({ task, untilMs: clock.monotonicMs() + sendConfirmMs });
  };

  return { confirm: (sent) => confirmed.push(sent), repeat, tellConfirmed, loop };
}
