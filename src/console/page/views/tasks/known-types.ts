/** Task types to propose: those that are always there, and those that were seen. */

import type { Task } from "../../task.tsx";

/** src/worker/handlers/built-in-handlers.ts; `crash` and `spin` are for who knows their names. */
const builtIn = ["echo", "fail", "flaky", "http", "sleep"];
const maxKept = 200;
const seen = new Set(builtIn);

export function knownTypes(tasks: readonly Task[]): string[] {
  for (const { type } of tasks) if (seen.size < maxKept) seen.add(type);
  return [...seen].sort();
}
