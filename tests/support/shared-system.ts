/** One running system for the tests of a file or a `describe` block: each of them must do with tasks of its own. */

import { afterAll, beforeAll } from "bun:test";
import { startTestSystem, type TestFlags, type TestSystem } from "./system.ts";

const startingMs = 60_000;

/** Starts it before the first of them and stops it after the last; gives it while they run. */
export function sharedSystem(flags: TestFlags = {}): () => TestSystem {
  let running: TestSystem | undefined;
  beforeAll(async () => {
    running = await startTestSystem(flags);
  }, startingMs);
  afterAll(() => running?.[Symbol.asyncDispose](), startingMs);
  return () => {
    if (!running) throw new Error("the system has not been started");
    return running;
  };
}
