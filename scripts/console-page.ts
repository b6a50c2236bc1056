/**
 * `bun run page`: makes src/gen/console-page.ts of the sources in src/console/page/. The page is text in one module, so
 * that it is there from source, on Deno and in the executable without a file beside it. A test holds that it is done.
 */

import { join } from "node:path";

const sources = join(import.meta.dir, "../src/console/page");

export const pageModulePath = join(import.meta.dir, "../src/gen/console-page.ts");

/** The module's text; throws what the bundler says. */
export async function bundlePage(): Promise<string> {
  const script = await bundle("app.tsx");
  const style = await bundle("styles/page.css");
  return [
    "// Made by `bun run page` from src/console/page/: do not edit. Preact, its signals and uPlot are in it, all MIT.",
    "",
    `export const script = ${JSON.stringify(script)};`,
    "",
    `export const style = ${JSON.stringify(style)};`,
    "",
  ].join("\n");
}

async function bundle(entry: string): Promise<string> {
  const built = await Bun.build({
    entrypoints: [join(sources, entry)],
    target: "browser",
    minify: true,
    define: { "process.env.NODE_ENV": '"production"' },
  });
  const [output, ...more] = built.outputs;
  if (!output || more.length > 0) throw new Error(`${entry}: expected one file, got ${built.outputs.length}`);
  return output.text();
}

if (import.meta.main) await Bun.write(pageModulePath, await bundlePage());
