/** The start of the program: every command is declared, and nothing heavy is loaded for that. */

import { expect, test } from "bun:test";
import { dirname, join, relative } from "node:path";
import { projectFolder } from "../support/executable.ts";

const transpiler = new Bun.Transpiler({ loader: "ts" });

/** What the file imports before any of its code runs, and what that imports: files below src/, packages by name. */
async function loadedBy(path: string, seen = new Set<string>()): Promise<Set<string>> {
  const name = relative(join(projectFolder, "src"), path);
  if (seen.has(name) || !path.endsWith(".ts")) return seen;
  seen.add(name);
  for (const { kind, path: target } of transpiler.scanImports(await Bun.file(path).text())) {
    if (kind === "dynamic-import") continue;
    if (target.startsWith(".")) await loadedBy(join(dirname(path), target), seen);
    else seen.add(target);
  }
  return seen;
}

test("`throughline version` and `help` load neither the store, the queue, telemetry, generated code nor their packages", async () => {
  const loaded = [...(await loadedBy(join(projectFolder, "src/main.ts")))].sort();
  expect(loaded).toContain("cli/backup.ts");
  const light = /^(main|config|version)\.ts$|^(cli|host|http|limits|settings|terminal|words)\//;
  const packages = ["commander", "get-east-asian-width", "uuid", "wrap-ansi"];
  const heavy = loaded.filter((name) => !light.test(name) && !name.startsWith("node:") && !packages.includes(name));
  expect(heavy).toEqual([]);
  expect(loaded).not.toContain("terminal/progress.ts");
  expect(loaded).not.toContain("terminal/waterfall.ts");
});
