/**
 * How many requests `fetch` has under way at once. Bun bounds them for a process, all its threads together, and keeps every
 * other one waiting, those of the queue and of the RPC among them. It reads the bound once, when the process starts.
 */

import { openFileLimit } from "./open-files.ts";
import { runtime } from "./runtime.ts";

export const fetchPlacesVariable = "BUN_CONFIG_MAX_HTTP_REQUESTS";

/** Bun's own, without the variable. */
const usualPlaces = 256;
/** What is wanted, and enough for 16 threads whose attempts wait for slow servers. */
const wantedPlaces = 4096;
/** What the roles of a process need at most, with room. */
const placesOfRoles = 256;

/** All of the process. Deno has no bound; there it is as if it had ours. */
export function fetchPlaces(env: NodeJS.ProcessEnv = process.env): number {
  const said = Number(env[fetchPlacesVariable]);
  if (Number.isInteger(said) && said > 0) return said;
  return runtime.name === "deno" ? wantedPlaces : usualPlaces;
}

/** Those of each of a process's handler threads; the rest is for the roles. */
export function fetchPlacesOfThread(threads: number, places: number = fetchPlaces()): number {
  return Math.max(1, Math.floor((places - Math.min(placesOfRoles, places / 2)) / threads));
}

/**
 * Starts this process anew, in its place and with its id, with more places than Bun's own, unless the environment says how
 * many there are. Where that cannot be done, or each could not have a file descriptor, it stays as it is.
 */
export function widenFetchPlaces(): void {
  const places = Math.min(wantedPlaces, Math.floor(openFileLimit() / 4));
  if (runtime.name !== "bun" || process.env[fetchPlacesVariable] !== undefined || places <= usualPlaces) return;
  const args = runtime.isCompiled ? process.argv.slice(2) : [...process.execArgv, ...process.argv.slice(1)];
  try {
    process.execve?.(process.execPath, [process.execPath, ...args], {
      ...process.env,
      [fetchPlacesVariable]: String(places),
    });
  } catch {
    // No system call for it here.
  }
}
