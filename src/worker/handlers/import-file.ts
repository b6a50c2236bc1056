/**
 * How a handler file is loaded, in whatever form its author wrote it.
 *
 * Module or CommonJS: Bun tells the two apart by the code. Deno asks the package.json beside: there a `.js` file that turns
 * out to be CommonJS is loaded a second time as that, and so is what it requires.
 *
 * Imports: some modules can be imported although nothing is installed beside the file, since the program carries them. A copy
 * that is installed there is used instead.
 *
 * `tsconfig.json`: old-style decorators and JSX change what code does. Bun takes these settings from the current folder, and
 * in the executable from nowhere; here each file gets those of the nearest tsconfig.json above it. Code in `node_modules`
 * stays as it is. Promises that a file whose settings cannot be applied is refused.
 */

import { readFileSync } from "node:fs";
import Module, { createRequire } from "node:module";
import { basename, extname } from "node:path";
import { pathToFileURL } from "node:url";
import vm from "node:vm";
import * as api from "@opentelemetry/api";
import { getTsconfig } from "get-tsconfig";
import * as zod from "zod";
import { runtime } from "../../host/runtime.ts";
import { toFailure } from "../../words/errors.ts";

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

type Settings = NonNullable<NonNullable<ReturnType<typeof getTsconfig>>["config"]["compilerOptions"]>;
type Loader = "ts" | "tsx" | "jsx";

/** A file of TypeScript or JSX. */
interface Source {
  path: string;
  text: string;
  loader: Loader;
}

/** TypeScript and JSX outside of node_modules. */
const sourceFiles = /^(?!.*[/\\]node_modules[/\\]).*\.(?:[cm]?ts|tsx|jsx)$/i;
/** A path with it does not match the sourceFiles: Bun loads the file as if there were no plugin. */
const untouched = "?commonjs";

const tsconfigs = new Map<string, unknown>();
let isApplied = false;

/** To every file that this thread loads from now on. Deno has settings of its own: deno.json. */
export function applyTypescriptSettings(): void {
  if (runtime.name !== "bun" || isApplied) return;
  isApplied = true;
  void Bun.plugin({
    name: "throughline-typescript-settings",
    setup: (build) => {
      build.onLoad({ filter: sourceFiles }, ({ path }) => {
        try {
          return loadSource({ path, text: readFileSync(path, "utf8"), loader: loaderOf(path) });
        } catch (error) {
          // It may be a file that the handler imports.
          throw new Error(`"${path}": ${toFailure(error).message}`);
        }
      });
    },
  });
}

function loaderOf(path: string): Loader {
  const ending = extname(path).toLowerCase();
  return ending === ".tsx" ? "tsx" : ending === ".jsx" ? "jsx" : "ts";
}

/** Lines keep their numbers, except in a file with old-style decorators. */
function loadSource(source: Source) {
  const { path, text, loader } = source;
  const decorated = withDecorators(source);
  const pragmas = loader === "ts" ? "" : jsxPragmas(settingsOf(path));
  if (isCommonJsSource(source)) {
    if (decorated !== undefined) throw new Error("old-style decorators work in modules, not in CommonJS");
    if (pragmas !== "") throw new Error("the jsx settings of tsconfig.json work in modules, not in CommonJS");
    // As text it would lose what it exports. `paths` of tsconfig.json do not map a name that starts with "./".
    const exported = createRequire(path)(`./${basename(path)}${untouched}`);
    const exports = { ...exported, default: exported, "module.exports": exported };
    return { exports, loader: "object" as const };
  }
  if (decorated === undefined) return { contents: pragmas + text.replace(/^#!.*/, ""), loader };
  if (loader === "tsx") throw new Error("old-style decorators work in .ts files, not in .tsx");
  return { contents: decorated, loader: "js" as const };
}

/** The code with its old-style decorators applied; undefined when it has none. */
function withDecorators(source: Source): string | undefined {
  if (source.loader === "jsx" || !source.text.includes("@")) return undefined;
  const code = transpile(source, { experimentalDecorators: true });
  if (!/\b__legacyDecorate(Class|Param)TS\b/.test(code)) return undefined;
  const { experimentalDecorators: isOldStyle = false, emitDecoratorMetadata = false } = settingsOf(source.path);
  if (isOldStyle) return transpile(source, { experimentalDecorators: true, emitDecoratorMetadata });
  if (!/\b__legacyDecorateParamTS\b/.test(code)) return undefined;
  throw new Error('a decorator of a parameter needs "experimentalDecorators": true in tsconfig.json');
}

function isCommonJsSource(source: Source): boolean {
  if (!/\b(exports|module|require)\b|\bexport\s*=/.test(source.text)) return false;
  const code = transpile(source, {});
  const { imports, exports } = new Bun.Transpiler({ loader: "js" }).scan(code);
  // The transpiler imports its own helpers from "bun:wrap".
  const isImporting = imports.some(({ kind, path }) => kind === "import-statement" && path !== "bun:wrap");
  return code !== "" && exports.length === 0 && !isImporting;
}

/** Empty when it does not parse: Bun then tells why when it loads the file. */
function transpile({ text, loader }: Source, compilerOptions: Settings): string {
  try {
    const tsconfig = JSON.stringify({ compilerOptions });
    return new Bun.Transpiler({ loader, target: "bun", tsconfig }).transformSync(text);
  } catch {
    return "";
  }
}

function settingsOf(path: string): Settings {
  try {
    return getTsconfig(path, "tsconfig.json", tsconfigs)?.config.compilerOptions ?? {};
  } catch (error) {
    throw new Error(`reading its tsconfig.json: ${toFailure(error).message}`);
  }
}

/** One comment without a line break. A file's own comments of this kind come later and win. */
function jsxPragmas({ jsx, jsxFactory, jsxFragmentFactory, jsxImportSource }: Settings): string {
  const pragmas = [
    ["@jsxRuntime", jsx === "react" ? "classic" : undefined],
    ["@jsx", jsxFactory],
    ["@jsxFrag", jsxFragmentFactory],
    ["@jsxImportSource", jsxImportSource],
  ].flatMap(([name, value]) => (value === undefined ? [] : [`${name} ${value}`]));
  return pragmas.length === 0 ? "" : `/** ${pragmas.join(" ")} */`;
}
