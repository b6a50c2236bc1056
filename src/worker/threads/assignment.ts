/**
 * Which attempt goes to which thread. A shared one goes to the least loaded; an exclusive one waits for a thread of its
 * own, and meanwhile one thread is kept free of new tasks. What waits can leave: when it is signalled, or at a drain.
 */

import { interrupted, signalled, type Unfinished } from "../attempts/attempt-outcome.ts";
import type { Room } from "../attempts/intake.ts";
import type { Slot } from "./slot.ts";
import type { CancelReason } from "./thread-messages.ts";
import type { RunRequest } from "./thread-runs.ts";

export class Assignment implements Room {
  /** Those that serve; the list changes under us. */
  readonly #slots: readonly Slot[];
  readonly #threadConcurrency: number;
  readonly #waiting = new Map<number, RunRequest>();
  #stopping: "no" | "draining" | "aborting" = "no";

  constructor(slots: readonly Slot[], threadConcurrency: number) {
    this.#slots = slots;
    this.#threadConcurrency = threadConcurrency;
  }

  vacant(): number {
    let room = -this.#waiting.size;
    for (const slot of this.#slots) room += this.#roomOn(slot);
    return room;
  }

  taken(): number {
    let taken = this.#waiting.size;
    for (const { running } of this.#slots) taken += running.size;
    return taken;
  }

  /** Starts it now, or when a thread can have it. */
  run(request: RunRequest): void {
    const slot = this.#stopping === "aborting" ? undefined : this.#slotFor(request);
    if (slot) slot.start(request);
    else this.#waiting.set(request.run.number, request);
    if (!slot && this.#stopping !== "no") this.stop(this.#stopping);
  }

  /** To be called when a thread may have room. */
  assign(): void {
    do {
      for (const [number, request] of this.#waiting) {
        const slot = this.#slotFor(request);
        if (!slot) continue;
        this.#waiting.delete(number);
        slot.start(request);
      }
    } while (this.#dropReservation());
  }

  /** Ends a run that waits; false when it does not. */
  cancel(number: number, reason: CancelReason): boolean {
    const request = this.#waiting.get(number);
    if (!request) return false;
    this.#waiting.delete(number);
    endUnrun(request, signalled(reason));
    this.assign();
    return true;
  }

  /** What waits is interrupted, and nothing waits any more. After `aborting` nothing starts either. */
  stop(how: "draining" | "aborting"): void {
    if (this.#stopping !== "aborting") this.#stopping = how;
    for (const request of this.#waiting.values()) endUnrun(request, interrupted("the worker stops"));
    this.#waiting.clear();
    this.#dropReservation();
  }

  #slotFor({ isAlone }: RunRequest): Slot | undefined {
    return isAlone ? this.#slotForAlone() : this.#leastLoaded();
  }

  #roomOn({ duty, running, signalled }: Slot): number {
    return duty === "open" && signalled.size === 0 ? this.#threadConcurrency - running.size : 0;
  }

  #leastLoaded(): Slot | undefined {
    let best: Slot | undefined;
    for (const slot of this.#slots) {
      if (this.#roomOn(slot) > 0 && (!best || slot.running.size < best.running.size)) best = slot;
    }
    return best;
  }

  /** An idle thread; or none yet, and the least loaded one takes nothing new until it is idle. */
  #slotForAlone(): Slot | undefined {
    const idle = this.#slots.find(
      ({ duty, running }) => (duty === "open" || duty === "reserved") && running.size === 0,
    );
    if (idle) {
      idle.duty = "alone";
      return idle;
    }
    const chosen = this.#slots.some(({ duty }) => duty === "reserved") ? undefined : this.#leastLoaded();
    if (chosen) chosen.duty = "reserved";
    return undefined;
  }

  /** Those for whom a thread was kept free may have left, or have got another. */
  #dropReservation(): boolean {
    const kept = this.#slots.find(({ duty }) => duty === "reserved");
    if (!kept || [...this.#waiting.values()].some(({ isAlone }) => isAlone)) return false;
    kept.duty = "open";
    return true;
  }
}

/** Of one that no handler has seen. */
function endUnrun({ run, listener }: RunRequest, outcome: Unfinished): void {
  listener.onEnded(run.number, { outcome, durationMs: 0 });
}
