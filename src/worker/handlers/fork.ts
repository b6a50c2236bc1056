/**
 * `child_process.fork` of handlers in the compiled executable. A fork starts this very executable, which is Throughline
 * and not a runtime; with `BUN_BE_BUN` in its environment it is the Bun that is in it
 * (bun.com/docs/bundler/executables, "Act as the Bun CLI"). Only forks get the variable: any other program that was
 * compiled by Bun would take it, too.
 */

import { environmentWith } from "../../config.ts";
import { runtime } from "../../host/runtime.ts";

type Spawn = (...given: [unknown, unknown?]) => unknown;

/** For all handlers of this thread. A fork is a child with a channel to it, which Bun starts by `Bun.spawn`. */
export function runForksByBun(): void {
  if (!runtime.isCompiled) return;
  const bun: unknown = Reflect.get(globalThis, "Bun");
  // The one signature for both of its forms: `spawn(command, options)` and `spawn({ cmd, ...options })`.
  const spawn = Reflect.get(Object(bun), "spawn") as Spawn;
  const spawnByBun: Spawn = (first, second) => {
    const options: Record<string, unknown> = { ...Object(Array.isArray(first) ? second : first) };
    const [file] = Array.isArray(first) ? first : Array.isArray(options.cmd) ? options.cmd : [];
    if (file !== process.execPath || options.ipc === undefined) return spawn(first, second);
    const beBun = { BUN_BE_BUN: "1" };
    const env = options.env === undefined ? environmentWith(beBun) : { ...Object(options.env), ...beBun };
    return Array.isArray(first) ? spawn(first, { ...options, env }) : spawn({ ...options, env });
  };
  Reflect.set(Object(bun), "spawn", spawnByBun);
}
