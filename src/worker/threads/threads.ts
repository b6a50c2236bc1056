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
import { Slot, type SlotEvents } from "./slot.ts";
import { graceMs } from "./thread-runs.ts";

export interface ThreadsEvents extends Pick<SlotEvents, "onSpans" | "onLog"> {
  onThreadCondemned(name: string, reason: string): void;
  onThreadEnded(name: string, reason: string): void;
  /** A thread may have room for what waits. */
  onRoom(): void;
}

const firstPauseMs = 500;
const longestPauseMs = 10_000;

const handlersChanged = "the handlers have changed";
const notObeyed = `a task did not end ${graceMs} ms after its signal`;
/** Each edit may leave threads behind that still run something: so many edits of one task's time are waited for. */
const keptGenerations = 8;

export class HandlerThreads {
  /** Those that take tasks, and those that start. */
  readonly serving: Slot[] = [];
  /** Those that are ended soon, and why, in the order in which they were condemned. */
  readonly condemned = new Map<Slot, string>();
  /** Why the last start of a thread failed, until one succeeds. */
  failure: string | undefined;
  readonly #config: Config;
  readonly #events: ThreadsEvents;
  readonly #slotEvents: SlotEvents;
  readonly #stopping = new AbortController();
  /** Starts apart from the others, to show that new handlers load. */
  #probe: Slot | undefined;
  /** Counts the times that the handlers were loaded again. */
  #generation = 0;
  #lastId = 0;
  #isFilling = false;

  constructor(config: Config, events: ThreadsEvents) {
    this.#config = config;
    this.#events = events;
    this.#slotEvents = {
      onSpans: events.onSpans,
      onLog: events.onLog,
      onAttemptEnded: (slot) => this.#attemptEnded(slot),
      onOverdue: (slot) => {
        this.#windDown(slot);
        if (this.serving.includes(slot) || this.condemned.has(slot)) slot.pulse.start();
      },
      onAnswer: (slot) => {
        if (!this.condemned.has(slot)) this.#condemn(slot, notObeyed);
      },
      onSilence: (slot) => this.#end(slot, `${notObeyed}, and the thread does not yield`),
      onExit: (slot, reason) => this.#exited(slot, reason),
    };
  }

  /** Rejects with `invalid_argument`, a line for each handler that does not load; no thread is left then. */
  async start(): Promise<readonly HandledType[]> {
    try {
      let types: readonly HandledType[] = [];
      for (let count = 0; count < this.#config.threads; count++) types = await this.#startOne();
      return types;
    } catch (error) {
      this.close();
      throw error;
    }
  }

  /**
   * Has the handlers loaded again from disk. What runs ends on the thread on which it is, with the code it began with.
   * Rejects as `start` does, and then the threads with the old handlers serve on.
   */
  async reload(): Promise<readonly HandledType[]> {
    const slot = this.#newSlot();
    this.#probe = slot;
    try {
      const types = await slot.loaded;
      if (this.#stopping.signal.aborted) slot.close();
      else this.#takeOver(slot);
      return types;
    } finally {
      this.#probe = undefined;
    }
  }

  /**
   * Replaces one of these threads: an idle one at once, else one that is busy when its tasks have ended, unless there is
   * such a one already. Gives those that are still there.
   */
  recycle(ids: readonly number[]): readonly number[] {
    const due = this.serving.filter(({ id }) => ids.includes(id));
    const isEnding = [...this.condemned.keys()].some(({ id }) => ids.includes(id));
    const chosen = due.find(({ running }) => running.size === 0) ?? (isEnding ? undefined : due[0]);
    const isStarting = this.serving.some(({ duty }) => duty === "starting");
    if (chosen && !isStarting) this.#condemn(chosen, "memory is above its limit");
    return [...this.serving, ...this.condemned.keys()].map(({ id }) => id).filter((id) => ids.includes(id));
  }

  /** No thread is replaced any more. */
  drain(): void {
    this.#stopping.abort();
  }

  close(): void {
    this.#stopping.abort();
    for (const slot of [...this.serving, ...this.condemned.keys()]) slot.close();
    this.#probe?.close();
  }

  #newSlot(): Slot {
    return new Slot(++this.#lastId, this.#config, this.#slotEvents);
  }

  async #startOne(): Promise<readonly HandledType[]> {
    const slot = this.#newSlot();
    this.serving.push(slot);
    try {
      const types = await slot.loaded;
      this.failure = undefined;
      this.#events.onRoom();
      return types;
    } catch (error) {
      this.#remove(slot);
      throw error;
    }
  }

  async #fill(): Promise<void> {
    if (this.#isFilling) return;
    this.#isFilling = true;
    const { signal } = this.#stopping;
    let pauseMs = firstPauseMs;
    while (!signal.aborted && this.serving.length < this.#config.threads) {
      const began = this.#generation;
      try {
        await this.#startOne();
        pauseMs = firstPauseMs;
      } catch (error) {
        if (signal.aborted) break;
        // Ended for its old handlers, while it loaded them.
        if (began !== this.#generation) continue;
        this.failure = toFailure(error).message;
        this.#events.onThreadEnded("handlers", `could not be replaced: ${this.failure}`);
        await systemClock.sleep(pauseMs, signal);
        pauseMs = Math.min(2 * pauseMs, longestPauseMs);
      }
    }
    this.#isFilling = false;
  }

  #takeOver(slot: Slot): void {
    this.#generation += 1;
    this.failure = undefined;
    const old = [...this.serving];
    this.serving.push(slot);
    for (const each of old) this.#condemn(each, handlersChanged);
    this.#replaced();
  }

  #attemptEnded(slot: Slot): void {
    if (this.condemned.has(slot)) this.#windDown(slot);
    else {
      // It has obeyed after all, before the thread could answer.
      if (![...slot.signalled].some(({ isOverdue }) => isOverdue)) slot.pulse.stop();
      this.#events.onRoom();
    }
  }

  #exited(slot: Slot, reason: string): void {
    const isOnly = slot.running.size === 1;
    this.#remove(slot);
    this.#events.onThreadEnded(slot.name, reason);
    void slot.end(({ signalledFor }) => outcomeOfCrash(signalledFor, isOnly, reason));
    this.#replaced();
  }

  #condemn(slot: Slot, reason: string): void {
    this.#remove(slot);
    this.condemned.set(slot, reason);
    this.#windDown(slot);
    if (this.condemned.has(slot) && reason !== handlersChanged) this.#events.onThreadCondemned(slot.name, reason);
    const most = (this.#config.watchesHandlers ? keptGenerations : 1) * this.#config.threads;
    const [oldest] = this.condemned.keys();
    if (oldest && this.condemned.size > most) {
      this.#end(oldest, "too many threads are condemned, this one for longest");
    }
    this.#replaced();
  }

  /** Ends a condemned thread on which nothing is left that may still finish. */
  #windDown(slot: Slot): void {
    const reason = this.condemned.get(slot);
    if (reason !== undefined && [...slot.running.values()].every(({ isOverdue }) => isOverdue)) this.#end(slot, reason);
  }

  #end(slot: Slot, reason: string): void {
    this.#remove(slot);
    if (reason !== handlersChanged) this.#events.onThreadEnded(slot.name, reason);
    void slot.end(({ signalledFor }) => outcomeOfEviction(signalledFor, reason));
    this.#replaced();
  }

  #remove(slot: Slot): void {
    this.condemned.delete(slot);
    const at = this.serving.indexOf(slot);
    if (at >= 0) this.serving.splice(at, 1);
  }

  /** What waited for that thread may have to wait for another. */
  #replaced(): void {
    void this.#fill();
    this.#events.onRoom();
  }
}
