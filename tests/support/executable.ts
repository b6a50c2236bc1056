/**
 * The compiled executable, `dist/throughline`, built with the command of the `compile` script. Built at most once for a
 * test run, and only when a source is newer. A build goes to a file beside it and is renamed into place, so that an
 * executable that runs already is never written to.
 */

import { readdir, rename, rm, stat, utimes } from "node:fs/promises";
import { join } from "node:path";
import packageJson from "../../package.json";
import { runBuildStep } from "../parts/build-step.ts";

/** The folder of the checkout. */
export const projectFolder = join(import.meta.dir, "../..");

const outfile = "dist/throughline";
let building: Promise<string> | undefined;

/** The path of an executable that is as new as its sources. */
export function compiledExecutable(): Promise<string> {
  building ??= buildIfStale();
  return building;
}

async function buildIfStale(): Promise<string> {
  const path = join(projectFolder, outfile);
  // Files that change while they are read make the next run build again.
  const startedAt = new Date();
  if ((await modifiedMs(path)) < (await newestSourceMs())) {
    const unfinished = `${outfile}.${process.pid}`;
    try {
      await runBuildStep(buildCommand(unfinished), projectFolder);
      await utimes(join(projectFolder, unfinished), startedAt, startedAt);
      await rename(join(projectFolder, unfinished), path);
    } finally {
      await rm(join(projectFolder, unfinished), { force: true });
    }
  }
  return path;
}

/** The `compile` script, run by this very Bun, with another outfile. */
function buildCommand(to: string): string[] {
  const [bun, ...words] = packageJson.scripts.compile.split(" ");
  if (bun !== "bun" || !words.includes(outfile)) throw new Error(`script "compile" does not build ${outfile}`);
  return [process.execPath, ...words.map((word) => (word === outfile ? to : word))];
}

async function newestSourceMs(): Promise<number> {
  const files = (await readdir(join(projectFolder, "src"), { recursive: true })).map((file) => `src/${file}`);
  const sources = ["package.json", "bun.lock", ...files];
  return Math.max(...(await Promise.all(sources.map((file) => modifiedMs(join(projectFolder, file))))));
}

/** 0 for a file that is not there. */
async function modifiedMs(path: string): Promise<number> {
  const found = await stat(path).catch(() => undefined);
  return found?.mtimeMs ?? 0;
}
