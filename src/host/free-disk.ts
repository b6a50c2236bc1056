/**
 * Whether the disk of a folder still has room for new tasks. The last of the room is kept for what was accepted before:
 * its claims, outcomes and timelines are written to the same disk.
 */

import { statfsSync } from "node:fs";
import type { Clock } from "../limits/clock.ts";

/** Kept free: this much, or this share of a small disk. */
const reserveBytes = 16 * 1024 * 1024;
const reserveShare = 0.1;

/** A look is a system call; between two of them the last answer stands. */
const lookEveryMs = 500;

/** A disk as `statfs` tells of it, in blocks of `bsize` bytes. */
interface DiskRoom {
  bsize: number;
  blocks: number;
  /** Free for a program without special rights. */
  bavail: number;
}

/** True below so many reserves. A file system that does not tell its size is never nearly full. */
export function isNearlyFull({ bsize, blocks, bavail }: DiskRoom, reserves = 1): boolean {
  return bavail * bsize < reserves * Math.min(reserveBytes, blocks * bsize * reserveShare);
}

/**
 * Gives a question about the disk of `folder`, which looks at most twice a second, and only when it is asked. Who has
 * to leave room for tasks asks for more than one of the reserves.
 */
export function createFreeDisk(folder: string, clock: Clock, reserves = 1): () => boolean {
  let lookedAtMs = Number.NEGATIVE_INFINITY;
  let isFull = false;
  return () => {
    const nowMs = clock.monotonicMs();
    if (nowMs - lookedAtMs >= lookEveryMs) {
      lookedAtMs = nowMs;
      isFull = look(folder, reserves);
    }
    return isFull;
  };
}

function look(folder: string, reserves: number): boolean {
  try {
    return isNearlyFull(statfsSync(folder), reserves);
  } catch {
    // Where the file system cannot be asked, a write that finds no room still says so.
    return false;
  }
}
