/**
 * Imports a handler file, a module or CommonJS. Bun tells the two apart by the code. Deno asks the package.json beside:
 * there a `.js` file that turns out to be CommonJS is loaded a second time as that, and so is what it requires.
 */

import { readFileSync } from "node:fs";
import Module, { createRequire } from "node:module";
import { basename } from "node:path";
import { pathToFileURL } from "node:url";
import vm from "node:vm";
import { runtime } from "../../host/runtime.ts";

/** What Node's loader of CommonJS has, and Deno's, though their types do not say so. */
interface CommonJsLoader {
  _extensions: Record<string, (module: CommonJsModule, path: string) => void>;
}

interface CommonJsModule {
  _compile(code: string, path: string): void;
}

let isPatched = false;

export async function importFile(path: string): Promise<{ default?: unknown }> {
  if (runtime.name === "bun") return importAsSibling(path);
  try {
    return await import(pathToFileURL(path).href);
  } catch (error) {
    if (!isCommonJs(error)) throw error;
    requireAnyCommonJs();
    return { default: createRequire(import.meta.url)(path) };
  }
}

/**
 * By its name, as a file beside it imports it. Bun maps absolute paths by `paths` of the tsconfig.json of the importer:
 * for code in the executable that is the current folder's, so that a `*` there replaces each handler.
 */
function importAsSibling(path: string): Promise<{ default?: unknown }> {
  const load = vm.compileFunction("return import(name)", ["name"], {
    filename: path,
    importModuleDynamically: vm.constants.USE_MAIN_CONTEXT_DEFAULT_LOADER,
  });
  return load(`./${basename(path)}`);
}

/** It was run as a module, and named what only CommonJS has. */
function isCommonJs(error: unknown): boolean {
  return error instanceof Error && /\b(exports|module|require|__filename|__dirname) is not defined/.test(error.message);
}

/** `require` of a `.js` file that is CommonJS, whatever the package.json beside says. */
function requireAnyCommonJs(): void {
  if (isPatched) return;
  isPatched = true;
  // A part of Node's API that its documentation calls deprecated and stable.
  const { _extensions: extensions } = Module as unknown as CommonJsLoader;
  const byPackage = extensions[".js"];
  extensions[".js"] = (module, path) => {
    try {
      byPackage?.(module, path);
    } catch (error) {
      if (!isCommonJs(error)) throw error;
      module._compile(readFileSync(path, "utf8"), path);
    }
  };
}
