/**
 * `bun tests/parts/prepare.ts`: builds every part that is not in the cache, so that tests find it.
 * A part that can't be had costs one loud line, and exit code 1 under CI.
 */

import { buildPart, isBuilt, type Recipe } from "./cache.ts";
import { missingCommands, mustHaveParts, recipes } from "./parts.ts";

/** Resolves to whether the part can be started here. */
async function prepare(recipe: Recipe): Promise<boolean> {
  const part = `${recipe.name} ${recipe.version}`;
  const commands = missingCommands(recipe);
  if (commands.length > 0) {
    say(`SKIPPED: ${part} needs ${commands.join(" and ")}; tests with it will be skipped`);
    return false;
  }
  if (isBuilt(recipe)) {
    return true;
  }
  say(`building ${part}, ${recipe.buildTime}, once`);
  const startedMs = performance.now();
  try {
    await buildPart(recipe);
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    say(`FAILED: ${part} could not be built, ${why}; tests with it will be skipped`);
    return false;
  }
  say(`built ${part} in ${Math.round((performance.now() - startedMs) / 1000)} s`);
  return true;
}

function say(line: string): void {
  process.stderr.write(`${line.replaceAll("\n", " ")}\n`);
}

if (import.meta.main) {
  for (const recipe of Object.values(recipes)) {
    if (!(await prepare(recipe)) && mustHaveParts()) {
      process.exitCode = 1;
    }
  }
}
