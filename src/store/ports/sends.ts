/** The port of sends: which tasks have to be sent, which messages the broker may have lost, what has to be removed. */

import type { Context } from "@opentelemetry/api";
import type { Clock } from "../../limits/clock.ts";
import type { Carrier } from "../../telemetry/context/propagation.ts";
import type { LiveStatus } from "../../words/task.ts";
import type { Actor } from "./tasks.ts";

/** One send of a task: obsolete after the task's next claim. */
export interface Sent {
  id: string;
  /** The claim number that the task had when it was sent. */
  claim: number;
}

/** A task that has to be sent. */
export interface DueTask extends Sent {
  type: string;
  correlationId: string;
  /** The context that the send starts from: the task's creation, or its newest redrive. */
  origin: Carrier;
  /** null: it was never brought back from the dead letters. */
  redrivenAtMs: number | null;
}

/** What the store holds. Times are milliseconds since the epoch; null: there is none. */
export interface StoreFigures {
  active: Record<LiveStatus, number>;
  /** When the oldest task that waits for an attempt was due. */
  oldestDueMs: number | null;
  /** When the oldest dead letter died. */
  oldestDeadMs: number | null;
}

/** One step of pruning. */
export interface PruneResult {
  pruned: number;
  /** Where the next step begins; null when the walk is complete. */
  next: string | null;
}

export interface SendStore {
  /** Records that the broker has confirmed these messages, so that the sweeper leaves their tasks alone. */
  markSent(sent: readonly Sent[], nowMs: number, context: Context): Promise<void>;
  /** Takes up to `limit` tasks whose send is due, so that no other sweeper takes them within `holdMs`. */
  takeDue(limit: number, holdMs: number, actor: Actor): Promise<DueTask[]>;
  /** Makes every live task due for sending: the broker has lost its messages. */
  resendAll(context: Context): Promise<void>;
  /** How many tasks whose message was confirmed before `sentBeforeMs` still wait for their first claim since. */
  countWaiting(sentBeforeMs: number): Promise<number>;
  /** Makes up to `limit` of those due for sending again, the oldest first; gives how many. */
  resendWaiting(sentBeforeMs: number, limit: number, nowMs: number): Promise<number>;
  /**
   * Examines up to `limit` tasks after the id `after` ("": from the first), oldest first, and removes those that ended
   * before `endedBeforeMs`, with everything that belongs to them.
   */
  prune(endedBeforeMs: number, after: string, limit: number): Promise<PruneResult>;
  /** Counts the tasks that have not ended, and finds the oldest. Costs a look at each of them. */
  figures(nowMs: number): Promise<StoreFigures>;
}

/** Shorter than the pause between two scrapes, so that each scrape has figures of its own. */
const keptMs = 4000;
/** Figures that took long are used this many times as long, so that counting takes a twentieth of the time at most. */
const keptTimes = 20;
const longestKeptMs = 60_000;

/**
 * The figures of the store, counted at most once every few seconds for any number of readers, because each count costs a
 * look at every task that has not ended. Rejects as the store does.
 */
export function createStoreFigures(store: Pick<SendStore, "figures">, clock: Clock): () => Promise<StoreFigures> {
  let asked: Promise<StoreFigures> | undefined;
  let untilMs = 0;
  return () => {
    const atMs = clock.monotonicMs();
    if (asked && atMs < untilMs) return asked;
    // Until the store answers, others wait for the same answer.
    untilMs = Number.POSITIVE_INFINITY;
    const asking = store.figures(clock.nowMs());
    asked = asking;
    asking.then(
      () => {
        const tookMs = clock.monotonicMs() - atMs;
        untilMs = atMs + Math.max(keptMs, Math.min(longestKeptMs, keptTimes * tookMs));
      },
      () => {
        // A failure is not reused: the store may be back.
        asked = undefined;
      },
    );
    return asking;
  };
}
