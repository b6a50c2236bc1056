/**
 * The pool's threads. As many serve as the settings say: whatever stops serving is replaced, one start after the other.
 * A thread that is blocked is ended at once. One that still yields, but has a task that ignores its signal, is
 * condemned, and so is one whose memory is wanted back: it takes nothing new and is ended once all that is left on it
 * are tasks that will not stop. A condemned thread never serves again.
 *
 * When the handlers have changed one thread is started with the new ones; once it has loaded them it takes what comes,
 * all others are condemned, and new ones take their places. When it cannot load them nothing has changed.
 */

import type { Config } from "../../config.ts";
import { systemClock } from "../../limits/clock.ts";
import { toFailure } from "../../words/errors.ts";
import { outcomeOfCrash, outcomeOfEviction } from "../attempts/attempt-outcome.ts";
import type { HandledType } from "../handlers/loaded-handler.ts";
import { graceMs } from "./attempt.ts";
import { type Slot, type SlotEvents, startSlot } from "./slot.ts";

export interface ThreadsEvents extends Pick<SlotEvents, "onSpans" | "onLog"> {
  onThreadCondemned(name: string, reason: string): void;
  onThreadEnded(name: string, reason: string): void;
  /** A thread may have room for what waits. */
  onRoom(): void;
}

export interface Threads {
  /** Those that take tasks, and those that start. */
  readonly serving: readonly Slot[];
  /** Those that are ended soon, and why, in the order in which they were condemned. */
  readonly condemned: ReadonlyMap<Slot, string>;
  /** Why the last start of a thread failed, until one succeeds. */
  failure(): string | undefined;
  /** Rejects with `invalid_argument`, a line for each handler that does not load; no thread is left then. */
  start(): Promise<readonly HandledType[]>;
  /**
   * Replaces one of these threads: an idle one at once, else one that is busy when its tasks have ended, unless there is
   * such a one already. Gives those that are still there.
   */
  recycle(ids: readonly number[]): readonly number[];
  /**
   * Has the handlers loaded again from disk. What runs ends on the thread on which it is, with the code it began with.
   * Rejects as `start` does, and then the threads with the old handlers serve on.
   */
  reload(): Promise<readonly HandledType[]>;
  /** No thread is replaced any more. */
  drain(): void;
  close(): void;
}

const firstPauseMs = 500;
const longestPauseMs = 10_000;

const handlersChanged = "the handlers have changed";
/** Each edit may leave threads behind that still run something: so many edits of one task's time are waited for. */
const keptGenerations = 8;

export function createThreads(config: Config, events: ThreadsEvents): Threads {
  const serving: Slot[] = [];
  const condemned = new Map<Slot, string>();
  const stopping = new AbortController();
  const mostCondemned = (config.watchesHandlers ? keptGenerations : 1) * config.threads;
  /** Starts apart from the others, to show that new handlers load. */
  let probe: Slot | undefined;
  /** Counts the times that the handlers were loaded again. */
  let generation = 0;
  let lastId = 0;
  let isFilling = false;
  let failure: string | undefined;

  const startOne = async (): Promise<readonly HandledType[]> => {
    const slot = startSlot(++lastId, config, slotEvents);
    serving.push(slot);
    try {
      const types = await slot.loaded;
      failure = undefined;
      events.onRoom();
      return types;
    } catch (error) {
      remove(slot);
      throw error;
    }
  };

  const fill = async (): Promise<void> => {
    if (isFilling) return;
    isFilling = true;
    let pauseMs = firstPauseMs;
    while (!stopping.signal.aborted && serving.length < config.threads) {
      const began = generation;
      try {
        await startOne();
        pauseMs = firstPauseMs;
      } catch (error) {
        if (stopping.signal.aborted) break;
        // Ended for its old handlers, while it loaded them.
        if (began !== generation) continue;
        failure = toFailure(error).message;
        events.onThreadEnded("handlers", `could not be replaced: ${failure}`);
        await systemClock.sleep(pauseMs, stopping.signal);
        pauseMs = Math.min(2 * pauseMs, longestPauseMs);
      }
    }
    isFilling = false;
  };

  const remove = (slot: Slot): void => {
    condemned.delete(slot);
    const at = serving.indexOf(slot);
    if (at >= 0) serving.splice(at, 1);
  };

  const condemn = (slot: Slot, reason: string): void => {
    remove(slot);
    condemned.set(slot, reason);
    windDown(slot);
    if (condemned.has(slot) && reason !== handlersChanged) events.onThreadCondemned(slot.name, reason);
    const [oldest] = condemned.keys();
    if (oldest && condemned.size > mostCondemned) end(oldest, "too many threads are condemned, this one for longest");
    replaced();
  };

  /** Ends a condemned thread on which nothing is left that may still finish. */
  const windDown = (slot: Slot): void => {
    const reason = condemned.get(slot);
    if (reason === undefined) return;
    if ([...slot.running.values()].every((attempt) => attempt.isOverdue())) end(slot, reason);
  };

  const end = (slot: Slot, reason: string): void => {
    remove(slot);
    if (reason !== handlersChanged) events.onThreadEnded(slot.name, reason);
    slot.end((attempt) => outcomeOfEviction(attempt.signalledFor(), reason));
    replaced();
  };

  /** What waited for that thread may have to wait for another. */
  const replaced = (): void => {
    void fill();
    events.onRoom();
  };

  const slotEvents: SlotEvents = {
    onSpans: events.onSpans,
    onLog: events.onLog,
    onAttemptEnded: (slot) => {
      if (condemned.has(slot)) return windDown(slot);
      // It has obeyed after all, before the thread could answer.
      if (![...slot.signalled].some((attempt) => attempt.isOverdue())) slot.pulse.stop();
      events.onRoom();
    },
    onOverdue: (slot) => {
      windDown(slot);
      if (serving.includes(slot) || condemned.has(slot)) slot.pulse.start();
    },
    onAnswer: (slot) => {
      if (!condemned.has(slot)) condemn(slot, `a task did not end ${graceMs} ms after its signal`);
    },
    onSilence: (slot) => end(slot, `a task did not end ${graceMs} ms after its signal, and the thread does not yield`),
    onExit: (slot, reason) => {
      const isOnly = slot.running.size === 1;
      remove(slot);
      events.onThreadEnded(slot.name, reason);
      slot.end((attempt) => outcomeOfCrash(attempt.signalledFor(), isOnly, reason));
      replaced();
    },
  };

  const reload = async (): Promise<readonly HandledType[]> => {
    const slot = startSlot(++lastId, config, slotEvents);
    probe = slot;
    try {
      const types = await slot.loaded;
      if (stopping.signal.aborted) slot.close();
      else takeOver(slot);
      return types;
    } finally {
      probe = undefined;
    }
  };

  const takeOver = (slot: Slot): void => {
    generation += 1;
    failure = undefined;
    const old = [...serving];
    serving.push(slot);
    for (const each of old) condemn(each, handlersChanged);
    replaced();
  };

  const close = (): void => {
    stopping.abort();
    for (const slot of [...serving, ...condemned.keys(), ...(probe ? [probe] : [])]) slot.close();
  };

  return {
    serving,
    condemned,
    failure: () => failure,
    start: async () => {
      try {
        let types: readonly HandledType[] = [];
        for (let count = 0; count < config.threads; count++) types = await startOne();
        return types;
      } catch (error) {
        close();
        throw error;
      }
    },
    recycle: (ids) => {
      const due = serving.filter(({ id }) => ids.includes(id));
      const isEnding = [...condemned.keys()].some(({ id }) => ids.includes(id));
      const chosen = due.find(({ running }) => running.size === 0) ?? (isEnding ? undefined : due[0]);
      const isStarting = serving.some(({ duty }) => duty === "starting");
      if (chosen && !isStarting) condemn(chosen, "memory is above its limit");
      return [...serving, ...condemned.keys()].map(({ id }) => id).filter((id) => ids.includes(id));
    },
    reload,
    drain: () => stopping.abort(),
    close,
  };
}
