/**
 * The sweeper, in every task service: finds the tasks that were not sent, are due, were left behind or lost by the
 * broker, and sends them with the context that was stored with them; removes what ended long ago. Two sweepers at once
 * do no harm: a second message cannot claim.
 */

import type { Clock } from "../limits/clock.ts";
import { repeat, tried } from "../limits/repeat.ts";
import type { Queue } from "../queue/queue.ts";
import type { SendStore, Sent } from "../store/ports/sends.ts";
import type { Actor } from "../store/ports/tasks.ts";
import type { Logger } from "../telemetry/logs/log.ts";
import { housekeeping } from "../telemetry/spans/tracing.ts";
import { createTrouble } from "../telemetry/trouble.ts";
import { toTaskError } from "../words/errors.ts";
import { type Sends, sendConfirmMs } from "./sends.ts";

export interface SweeperDeps {
  store: SendStore;
  queue: Queue;
  sends: Sends;
  clock: Clock;
  log: Logger;
  actor(): Actor;
  /** Tasks that ended longer ago are removed; 0: never. */
  retentionMs: number;
}

export interface Sweeper {
  /** Runs until the signal aborts. */
  loop(signal: AbortSignal): Promise<void>;
  /** Notes the last sends: once nothing is sent any more. */
  end(): Promise<void>;
}

/** How often the sweeper looks when it knows of nothing due. */
const sweepEveryMs = 1000;
/** Tasks sent by one sweep; the next follows at once while there are as many. */
const sweepLimit = 100;

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
  const { store, sends, clock, log } = deps;
  const troubleOf = (msg: string, over: string) => createTrouble({ log, nowMs: () => clock.monotonicMs(), msg, over });
  const sweepTrouble = troubleOf("sweep failed", "sweeps succeed again");
  const compareTrouble = troubleOf("comparing with the broker failed", "comparing with the broker succeeds again");
  const pruneTrouble = troubleOf("pruning failed", "pruning succeeds again");
  const sweep = createSweep(deps);
  const resendLost = createComparison(deps);
  const prune = createPruning(deps);

  /** What fails is tried again with the next step. */
  const step = async (): Promise<number> => {
    const sent = await tried(sweepTrouble, sweep);
    await tried(compareTrouble, resendLost);
    const pauseMs = await tried(pruneTrouble, prune);
    return sent === sweepLimit ? 0 : (pauseMs ?? sweepEveryMs);
  };

  return {
    loop: (signal) => repeat(step, { signal, clock }),
    end: async () => {
      // What is not noted is sent again: that must not keep the drain from its end.
      const failed = (error: unknown): void => log.warn("could not note what was sent", { error: toTaskError(error) });
      await note(store, await sends.takeLast(), clock).catch(failed);
    },
  };
}

async function note(store: SendStore, sent: readonly Sent[], clock: Clock): Promise<void> {
  if (sent.length > 0) await store.markSent(sent, clock.nowMs(), housekeeping);
}

/**
 * Sends what is due, and gives how many the broker took. While it takes none, one task at a time finds out whether it does
 * again, and the others stay due.
 */
function createSweep({ store, sends, clock, actor }: SweeperDeps): () => Promise<number> {
  let isBrokerAway = false;
  return async () => {
    await note(store, sends.takeConfirmed(), clock);
    const limit = isBrokerAway ? 1 : sweepLimit;
    const untilMs = clock.monotonicMs() + sendConfirmMs;
    const due = sends.takeFailed(limit);
    const taken = due.length < limit ? await store.takeDue(limit - due.length, sendConfirmMs, actor()) : [];
    due.push(...taken.map((task) => ({ task, untilMs })));
    const sent = due.length > 0 ? await sends.again(due) : 0;
    isBrokerAway = due.length > 0 && sent === 0;
    return sent;
  };
}

/**
 * A broker that lost messages shows fewer than there are tasks waiting, twice in a row. The figures are read first:
 * what is claimed in between then makes nothing seem lost.
 */
function createComparison({ store, queue, clock, log }: SweeperDeps): () => Promise<void> {
  let wasMissing = false;
  let compareAtMs = 0;
  return async () => {
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
}

/** Removes what ended long ago, a step of a walk at a time; gives how long to pause before the next. */
function createPruning({ store, clock, retentionMs }: SweeperDeps): () => Promise<number> {
  let pruneAtMs = 0;
  let prunedUpTo = "";
  return async () => {
    if (retentionMs === 0 || clock.monotonicMs() < pruneAtMs) return sweepEveryMs;
    const { next } = await store.prune(clock.nowMs() - retentionMs, prunedUpTo, pruneLimit);
    prunedUpTo = next ?? "";
    if (next !== null) return pruneStepMs;
    pruneAtMs = clock.monotonicMs() + Math.min(pruneEveryMs, retentionMs);
    return sweepEveryMs;
  };
}
