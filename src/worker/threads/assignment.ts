/**
 * Which attempt goes to which thread. A shared one goes to the least loaded; an exclusive one waits for a thread of its
 * own, and meanwhile one thread is kept free of new tasks. What waits can leave: by its signal, or at a drain.
 */

import { interrupted, signalled, type Unfinished } from "../attempts/attempt-outcome.ts";
import type { Room } from "../attempts/seats.ts";
import type { RunRequest, RunResult } from "./attempt.ts";
import type { Slot } from "./slot.ts";

export interface Assignment extends Room {
  /** Starts it now, or when a thread can have it. */
  run(request: RunRequest): Promise<RunResult>;
  /** To be called when a thread may have room. */
  assign(): void;
  /** What waits is interrupted, and nothing waits any more. */
  drain(): void;
}

interface Waiting {
  request: RunRequest;
  start(slot: Slot): void;
  leave(outcome: Unfinished): void;
}

/** `slots` are those that serve; the list changes under us. */
export function createAssignment(slots: readonly Slot[], threadConcurrency: number): Assignment {
  const waiting = new Set<Waiting>();
  let isDraining = false;

  const assign = (): void => {
    do {
      for (const item of waiting) {
        const slot = slotFor(item.request);
        if (slot) item.start(slot);
      }
    } while (dropReservation());
  };

  const slotFor = ({ isAlone }: RunRequest): Slot | undefined => (isAlone ? slotForAlone() : leastLoaded());

  const roomOn = ({ duty, running, signalled }: Slot): number =>
    duty === "open" && signalled.size === 0 ? threadConcurrency - running.size : 0;

  const leastLoaded = (): Slot | undefined => {
    let best: Slot | undefined;
    for (const slot of slots) {
      if (roomOn(slot) > 0 && (!best || slot.running.size < best.running.size)) best = slot;
    }
    return best;
  };

  /** An idle thread; or none yet, and the least loaded one takes nothing new until it is idle. */
  const slotForAlone = (): Slot | undefined => {
    const idle = slots.find(({ duty, running }) => (duty === "open" || duty === "reserved") && running.size === 0);
    if (idle) {
      idle.duty = "alone";
      return idle;
    }
    const chosen = slots.some(({ duty }) => duty === "reserved") ? undefined : leastLoaded();
    if (chosen) chosen.duty = "reserved";
    return undefined;
  };

  /** Those for whom a thread was kept free may have left, or have got another. */
  const dropReservation = (): boolean => {
    const kept = slots.find(({ duty }) => duty === "reserved");
    if (!kept || [...waiting].some(({ request }) => request.isAlone)) return false;
    kept.duty = "open";
    return true;
  };

  const wait = (request: RunRequest, resolve: (result: RunResult) => void): void => {
    const { signal } = request;
    const stopWaiting = (): void => {
      waiting.delete(item);
      signal.removeEventListener("abort", onAbort);
    };
    const item: Waiting = {
      request,
      start: (slot) => {
        stopWaiting();
        slot.start(request, resolve);
      },
      leave: (outcome) => {
        stopWaiting();
        resolve({ outcome, durationMs: 0 });
      },
    };
    const onAbort = (): void => {
      item.leave(signalled(signal.reason));
      assign();
    };
    waiting.add(item);
    signal.addEventListener("abort", onAbort);
  };

  const leaveAll = (): void => {
    for (const item of waiting) item.leave(interrupted("the worker stops"));
    dropReservation();
  };

  return {
    vacant: () => slots.reduce((sum, slot) => sum + roomOn(slot), 0) - waiting.size,
    taken: () => slots.reduce((sum, { running }) => sum + running.size, 0) + waiting.size,
    run: (request) =>
      new Promise((resolve) => {
        const { signal } = request;
        if (signal.aborted) return resolve({ outcome: signalled(signal.reason), durationMs: 0 });
        const slot = slotFor(request);
        if (slot) return slot.start(request, resolve);
        wait(request, resolve);
        if (isDraining) leaveAll();
      }),
    assign,
    drain: () => {
      isDraining = true;
      leaveAll();
    },
  };
}
