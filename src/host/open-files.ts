/**
 * File descriptors of this process: how many are open and how many it may have. Sockets, files and threads all need
 * them, and a runtime that finds none for a new thread ends the process. So listeners leave a reserve: see `watchFiles`.
 * All threads share one table, so that each can look at it without asking another.
 */

import { closeSync, openSync, readFileSync, statSync } from "node:fs";

/**
 * The soft limit, which Bun raises to the hard one when it starts; infinite where the system does not tell.
 * `proc(5)`, "/proc/[pid]/limits".
 */
export function openFileLimit(): number {
  limit ??= readLimit();
  return limit;
}
let limit: number | undefined;

function readLimit(): number {
  try {
    const [, soft] = readFileSync("/proc/self/limits", "utf8").match(/^Max open files\s+(\d+)/m) ?? [];
    return soft === undefined ? Number.POSITIVE_INFINITY : Number(soft);
  } catch {
    return Number.POSITIVE_INFINITY;
  }
}

/** How many are open. Opens nothing where Linux 6.2 or later tells the number as the size of the folder. */
export function openFileCount(): number {
  try {
    const { size } = statSync("/proc/self/fd");
    return size > 0 ? size : lowestFree();
  } catch {
    return lowestFree();
  }
}

/** The number that the next descriptor would get: so many are open at least. */
function lowestFree(): number {
  try {
    const descriptor = openSync("/dev/null", "r");
    closeSync(descriptor);
    return descriptor;
  } catch {
    return openFileLimit();
  }
}

/** Below this the start and `doctor` warn: the default of most systems is far above. */
export const lowOpenFileLimit = 4096;

/** A thread needs up to ten while it starts. */
const forThread = 16;

/** Why no thread can be started now, or undefined: the runtime itself would end the process. */
export function whyNoThread(): string | undefined {
  const count = openFileCount();
  if (openFileLimit() - count >= forThread) return undefined;
  return `${count} of ${openFileLimit()} file descriptors are open, which leaves too few for a thread`;
}

/** What a listener leaves free: a share of the limit, and no more than this. */
const reserves = {
  /** For callers from outside. */
  outer: { share: 1 / 4, most: 512 },
  /** For other roles and for probes, which go on when callers have used up their part. */
  inner: { share: 1 / 8, most: 256 },
} as const;

export type ListenerReserve = keyof typeof reserves;

/** How many may be open while a listener takes connections. At the start at least half of what is left is usable. */
export function mostOpenFiles(reserve: ListenerReserve, limit: number, openAtStart: number): number {
  const { share, most } = reserves[reserve];
  return limit - Math.min(limit * share, most, Math.max(0, limit - openAtStart) / 2);
}

/** Connections come faster than any look: the reserve has to last for so long. A look is one system call. */
const lookEveryMs = 100;
/** Connections are taken again when so many of those that made it stop are gone. */
const enoughRoom = 1 / 8;

interface FilesWatch {
  /** The reserve is touched. Repeated with each look while `onRoom` has not been. */
  onScarce(): void;
  /** There is room again. A throw, as of a port that cannot be opened yet, has it tried again. */
  onRoom(): void | Promise<void>;
}

interface FilesWatching extends Disposable {
  /** Counts as scarce, though no look has seen it: the next look with enough room calls `onRoom`. */
  markScarce(): void;
}

/** Looks until it is disposed of. */
export function watchFiles(reserve: ListenerReserve, { onScarce, onRoom }: FilesWatch): FilesWatching {
  const limit = openFileLimit();
  if (limit === Number.POSITIVE_INFINITY) return { markScarce: () => {}, [Symbol.dispose]: () => {} };
  const most = mostOpenFiles(reserve, limit, openFileCount());
  const few = most - (limit - most) * enoughRoom;
  let state: "room" | "scarce" | "opening" = "room";
  const timer = setInterval(() => {
    const count = openFileCount();
    if (state === "room" && count > most) {
      state = "scarce";
      onScarce();
    } else if (state === "scarce" && count <= few) {
      state = "opening";
      Promise.try(onRoom).then(
        () => {
          state = "room";
        },
        () => {
          state = "scarce";
        },
      );
    }
  }, lookEveryMs);
  timer.unref();
  return {
    markScarce: () => {
      state = "scarce";
    },
    [Symbol.dispose]: () => clearInterval(timer),
  };
}
