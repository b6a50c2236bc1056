/**
 * Where real servers are kept between test runs: one folder for each part and version, outside the repository.
 * A folder is there whole or not at all: a part is built beside it and renamed into place, so a killed build leaves
 * nothing half made and two builds at once do no harm, the second is thrown away.
 */

import { existsSync } from "node:fs";
import { mkdir, mkdtemp, readdir, rename, rm, stat } from "node:fs/promises";
import { homedir } from "node:os";
import { join } from "node:path";

/** How one real server comes onto this machine. */
export interface Recipe {
  name: string;
  version: string;
  /** Commands that building it needs, as they are called on the PATH. */
  buildNeeds: readonly string[];
  /** Commands that starting it needs. */
  startNeeds: readonly string[];
  /** How long the first build takes, in words. */
  buildTime: string;
  /** Makes everything that starting needs inside `folder`, which is empty. */
  build(folder: string): Promise<void>;
}

const leftoverAgeMs = 24 * 60 * 60 * 1000;

/** `$PARTS_CACHE`, or `throughline-parts` in the user's cache folder. */
function cacheFolder(): string {
  const { PARTS_CACHE, XDG_CACHE_HOME } = process.env;
  return PARTS_CACHE || join(XDG_CACHE_HOME || join(homedir(), ".cache"), "throughline-parts");
}

/** Where the part is, or will be, in the cache. */
export function partFolder(part: { name: string; version: string }): string {
  return join(cacheFolder(), `${part.name}-${part.version}`);
}

/** Whether the part is in the cache, and so whole. */
export function isBuilt(part: { name: string; version: string }): boolean {
  return existsSync(partFolder(part));
}

/** Builds the part into the cache; rejects with the build's own words and leaves the cache as it was when that fails. */
export async function buildPart(recipe: Recipe): Promise<void> {
  await mkdir(cacheFolder(), { recursive: true });
  await removeLeftovers();
  const building = await mkdtemp(join(cacheFolder(), `.building-${recipe.name}-`));
  try {
    await recipe.build(building);
    await moveIn(building, partFolder(recipe));
  } finally {
    await rm(building, { recursive: true, force: true });
  }
}

async function moveIn(from: string, to: string): Promise<void> {
  try {
    await rename(from, to);
  } catch (error) {
    if (!isAlreadyThere(error)) {
      throw error;
    }
  }
}

function isAlreadyThere(error: unknown): boolean {
  return error instanceof Error && "code" in error && (error.code === "ENOTEMPTY" || error.code === "EEXIST");
}

/** What builds killed long ago left behind; a younger folder may belong to a build that still runs. */
async function removeLeftovers(): Promise<void> {
  for (const name of await readdir(cacheFolder())) {
    const path = join(cacheFolder(), name);
    if (name.startsWith(".building-") && Date.now() - (await stat(path)).mtimeMs > leftoverAgeMs) {
      await rm(path, { recursive: true, force: true });
    }
  }
}
