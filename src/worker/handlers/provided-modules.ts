/**
 * Modules that a handler file may import although nothing is installed beside it: the program carries them. A copy that
 * is installed there is taken instead.
 */

import Module, { createRequire } from "node:module";
import { pathToFileURL } from "node:url";
import * as api from "@opentelemetry/api";
import * as zod from "zod";
import { runtime } from "../../host/runtime.ts";

/** Imported above, before the plugin exists: from source the plugin would answer these imports, too. */
const modules: Record<string, object> = { "@opentelemetry/api": api, zod, "zod/v4": zod };

let isProvided = false;

/** Once for all handlers of this thread, which are in `folder`. */
export function provideModules(folder: string): void {
  if (isProvided) return;
  isProvided = true;
  if (runtime.name === "bun") provideToAll(folder);
  else provideToRequire();
}

function provideToAll(folder: string): void {
  const missing = Object.entries(modules).filter(([name]) => !isInstalled(name, folder));
  void Bun.plugin({
    name: "throughline-provided-modules",
    setup: (build) => {
      // A plugin's module goes before an installed one. It is synchronous so that `require` finds it, too.
      for (const [name, module] of missing) {
        build.module(name, () => ({ exports: { ...module }, loader: "object" }));
      }
    },
  });
}

/** In a thread Bun never asks a registry for what is not installed; on the main thread it would. */
function isInstalled(name: string, folder: string): boolean {
  try {
    Bun.resolveSync(name, folder);
    return true;
  } catch {
    return false;
  }
}

/**
 * Deno asks hooks for what CommonJS requires. What a module imports it resolves before any code of ours could answer:
 * there a handler needs its own node_modules, import map or npm: URL.
 */
function provideToRequire(): void {
  const own = createRequire(import.meta.url);
  Module.registerHooks({
    resolve: (name, context, next) => {
      try {
        return next(name, context);
      } catch (error) {
        if (!(name in modules)) throw error;
        return { url: pathToFileURL(own.resolve(name)).href, shortCircuit: true };
      }
    },
  });
}
