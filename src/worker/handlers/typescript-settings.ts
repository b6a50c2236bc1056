/**
 * Settings of `tsconfig.json` that change what code does: old-style decorators and JSX. Bun takes them from the current
 * folder, and in the executable from nowhere; this gives each file those of the nearest tsconfig.json above it. Code in
 * `node_modules` stays as it is. Promises that a file whose settings cannot be applied is refused.
 */

import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { basename, extname } from "node:path";
import { getTsconfig } from "get-tsconfig";
import { runtime } from "../../host/runtime.ts";
import { toFailure } from "../../words/errors.ts";

type Settings = NonNullable<NonNullable<ReturnType<typeof getTsconfig>>["config"]["compilerOptions"]>;
type Loader = "ts" | "tsx" | "jsx";

/** A file of TypeScript or JSX. */
interface Source {
  path: string;
  text: string;
  loader: Loader;
}

/** TypeScript and JSX outside of node_modules. */
const filter = /^(?!.*[/\\]node_modules[/\\]).*\.(?:[cm]?ts|tsx|jsx)$/i;
/** A path with it does not match the filter: Bun loads the file as if there were no plugin. */
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
      build.onLoad({ filter }, ({ path }) => {
        try {
          return load({ path, text: readFileSync(path, "utf8"), loader: loaderOf(path) });
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
function load(source: Source) {
  const { path, text, loader } = source;
  const decorated = withDecorators(source);
  const pragmas = loader === "ts" ? "" : jsxPragmas(settingsOf(path));
  if (isCommonJs(source)) {
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

function isCommonJs(source: Source): boolean {
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
