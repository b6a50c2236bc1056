/**
 * Everything that handlers and their tests import, as files for a folder with nothing installed: the types as the
 * sources have them, `throughline/testing` in one file, and zod and OpenTelemetry's API as they are installed here.
 *
 * A macro: it runs when Bun reads the file that calls it, so the compiled executable holds the files and not this code.
 */

import { spawnSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

/** Of the checkout. */
const root = join(dirname(fileURLToPath(import.meta.url)), "../../..");

/** JSON of a record: path below `.throughline/` to text. */
export function authorKit(): string {
  return JSON.stringify({
    "README.md": readme,
    "package.json": toJson({
      name: "throughline",
      version: versionOf("package.json"),
      private: true,
      type: "module",
      exports: {
        ".": { types: "./index.d.ts", default: "./index.js" },
        "./testing": { types: "./testing.d.ts", default: "./testing.js" },
      },
    }),
    "index.js": "export {};\n",
    "index.d.ts": typesOf("src/worker/handlers/handler.ts"),
    "testing.js": bundle("src/testing.ts"),
    "testing.d.ts": read("src/cli/init/testing.d.ts.txt"),
    "tested-task.d.ts": typesOf("src/testing/tested-task.ts"),
    "standard-schema.d.ts": read("node_modules/@standard-schema/spec/dist/index.d.ts"),
    "bun-test.d.ts": read("src/cli/init/bun-test.d.ts"),
    ...declarationsOf("node_modules/@opentelemetry/api", "dist", "opentelemetry-api", ".d.mts"),
    "opentelemetry-api/index.mjs": bundle("node_modules/@opentelemetry/api/dist/index.mjs"),
    ...declarationsOf("node_modules/zod", "", "zod", ".d.ts"),
    "zod/index.js": bundle("node_modules/zod/index.js"),
  });
}

/** JSON of the same: the example and its test, by their places in the folder. */
export function starter(): string {
  const names = ["greet.ts", "greet.test.ts"];
  const files = names.map((name) => [`handlers/${name}`, read(`src/cli/init/starter/${name}.txt`)]);
  return JSON.stringify(Object.fromEntries(files));
}

const readme = `Types and the test kit of Throughline ${versionOf("package.json")}, written by \`throughline init\`, so that
editors, \`tsc\` and \`throughline test\` find them with nothing installed. Keep it beside your handlers; after an upgrade
\`throughline init --types\` writes it anew. zod and @opentelemetry/api are here for the same reason, under their own
licenses: a copy of yours in node_modules is used instead.
`;

/** A source that has only types is a declaration file once its imports lead to the files beside it. */
function typesOf(path: string): string {
  return read(path)
    .replaceAll('"@standard-schema/spec"', '"./standard-schema.js"')
    .replaceAll('"@opentelemetry/api"', '"./opentelemetry-api/index.mjs"')
    .replaceAll('"../worker/handlers/handler.ts"', '"./index.js"')
    .replace(/^\/\/ biome-ignore.*\n/gm, "");
}

/** A package's declarations and its license. */
function declarationsOf(folder: string, below: string, to: string, ending: string): Record<string, string> {
  const from = join(folder, below);
  const isWanted = (name: string): boolean =>
    name.endsWith(ending) && !/(^|\/)(src|v3|mini|v4-mini|experimental)\//.test(name);
  const names = readdirSync(join(root, from), { recursive: true }).map(String).filter(isWanted);
  const files = names.map((name) => [
    `${to}/${name}`,
    read(join(from, name)).replace(/\n?\/\/# sourceMappingURL=.*/, ""),
  ]);
  return { ...Object.fromEntries(files), [`${to}/LICENSE`]: read(join(folder, "LICENSE")) };
}

function bundle(path: string): string {
  const args = ["build", "--target=node", "--format=esm", "--minify", path];
  const built = spawnSync(process.execPath, args, { cwd: root, encoding: "utf8", maxBuffer: 64 * 1024 * 1024 });
  if (built.status !== 0) throw new Error(`bundling "${path}": ${built.stderr}`);
  return built.stdout;
}

function versionOf(manifest: string): string {
  const { version }: { version: string } = JSON.parse(read(manifest));
  return version;
}

function toJson(value: unknown): string {
  return `${JSON.stringify(value, null, 2)}\n`;
}

function read(path: string): string {
  return readFileSync(join(root, path), "utf8");
}
