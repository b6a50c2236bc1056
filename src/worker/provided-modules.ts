/**
 * Modules that a handler file may import although nothing is installed beside it: the executable carries them. A copy
 * that is installed there is taken instead.
 */

import { runtime } from "../runtime.ts";

/** Loaded when a handler asks for them. */
const modules: Record<string, () => Promise<object>> = {
  "@opentelemetry/api": () => import("@opentelemetry/api"),
  zod: () => import("zod"),
};

let isProvided = false;

/**
 * Once for all handlers of this thread, which are in `folder`. Deno resolves modules before any code of ours could
 * answer: there a handler needs its own import map or npm: URL.
 */
export function provideModules(folder: string): void {
  if (runtime.name !== "bun" || isProvided) return;
  isProvided = true;
  const missing = Object.entries(modules).filter(([name]) => !isInstalled(name, folder));
  void Bun.plugin({
    name: "throughline-provided-modules",
    setup: (build) => {
      // By its own code a plugin goes before what is installed.
      for (const [name, load] of missing) {
        build.module(name, async () => ({ exports: { ...(await load()) }, loader: "object" }));
      }
    },
  });
}

function isInstalled(name: string, folder: string): boolean {
  try {
    Bun.resolveSync(name, folder);
    return true;
  } catch {
    return false;
  }
}
