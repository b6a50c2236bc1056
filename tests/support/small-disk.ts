/**
 * A disk so small that a test can fill it: a file system in memory, mounted on a folder of its own. It is unmounted at
 * the end, also when the tests are killed: a small shell holds the other end of a pipe and unmounts when that closes.
 */

import { statfsSync } from "node:fs";
import { mkdtemp, open, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

export interface SmallDisk extends AsyncDisposable {
  /** Where it is mounted; absolute. */
  path: string;
  freeBytes(): number;
  /** Fills it with a file until only so much is free. */
  fill(leftBytes: number): Promise<void>;
  /** Removes that file. */
  clear(): Promise<void>;
}

const ballast = "ballast";
const chunkBytes = 4096;
/** Its input ends when it is told to, or with the process that started it. */
const unmount = 'trap "" INT TERM HUP; read -r _; umount -l "$1"; rmdir "$1"';

/** Why this machine mounts none for us; undefined when it does. */
export async function whyNoSmallDisk(): Promise<string | undefined> {
  try {
    await using _ = await mountSmallDisk(chunkBytes);
    return undefined;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

/** Rejects where mounting is not possible or not allowed. */
export async function mountSmallDisk(sizeBytes: number): Promise<SmallDisk> {
  const path = await mkdtemp(join(tmpdir(), "throughline-test-disk-"));
  await mount(path, sizeBytes);
  const guard = Bun.spawn(["sh", "-c", unmount, "guard", path], { stdin: "pipe", stdout: "ignore", stderr: "ignore" });
  const freeBytes = (): number => {
    const { bavail, bsize } = statfsSync(path);
    return bavail * bsize;
  };
  return {
    path,
    freeBytes,
    fill: async (leftBytes) => {
      await using file = await open(join(path, ballast), "a");
      const chunk = new Uint8Array(chunkBytes).fill(1);
      while (freeBytes() > leftBytes) await file.write(chunk);
    },
    clear: () => rm(join(path, ballast)),
    [Symbol.asyncDispose]: async () => {
      await guard.stdin.end();
      await guard.exited;
    },
  };
}

async function mount(path: string, sizeBytes: number): Promise<void> {
  const options = `size=${sizeBytes},mode=700`;
  try {
    const mounting = Bun.spawn(["mount", "-t", "tmpfs", "-o", options, "tmpfs", path], {
      stdin: "ignore",
      stdout: "ignore",
      stderr: "pipe",
    });
    const said = await new Response(mounting.stderr).text();
    if ((await mounting.exited) !== 0) throw new Error(`a tmpfs cannot be mounted: ${said.trim()}`);
  } catch (error) {
    await rm(path, { recursive: true });
    throw error;
  }
}
