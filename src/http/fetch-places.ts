/**
 * How many requests `fetch` has under way at once. Bun bounds them for a process, all its threads together, and keeps every
 * other one waiting, those of the queue and of the RPC among them. It reads the bound once, when the process starts, from
 * the environment.
 */

import { runtime } from "../host/runtime.ts";

export const fetchPlacesVariable = "BUN_CONFIG_MAX_HTTP_REQUESTS";

/** Bun's own, without the variable. */
const usualPlaces = 256;
/** Where the runtime has no bound. */
const unboundedPlaces = 4096;
/** What the roles of a process need at most, with room. */
const placesOfRoles = 256;

/** All of the process. Deno has no bound. */
export function fetchPlaces(env: NodeJS.ProcessEnv = process.env): number {
  const said = Number(env[fetchPlacesVariable]);
  if (Number.isInteger(said) && said > 0) return said;
  return runtime.name === "deno" ? unboundedPlaces : usualPlaces;
}

/** Those of each of a process's handler threads; the rest is for the roles. */
export function fetchPlacesOfThread(threads: number, places: number = fetchPlaces()): number {
  return Math.max(1, Math.floor((places - Math.min(placesOfRoles, places / 2)) / threads));
}
