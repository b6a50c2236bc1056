/**
 * `throughline init`: a folder to write handlers in, with an example, its test, and everything that both import.
 * Promises that nothing that was there is changed: what is in the way is told, all of it, and nothing is written.
 */

import { existsSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import { basename, dirname, join, relative, resolve } from "node:path";
import { TaskError, toFailure } from "../words/errors.ts";
import { type Files, filesOfOwn, kitFiles, kitFolder, newFiles } from "./init/author-files.ts";
import { ownCommand, quoted } from "./own-command.ts";

/** Gives the lines that say what was done and what can be done next. */
export function initialize(folder: string): string[] {
  const path = resolve(folder);
  const taken = Object.keys({ ...newFiles, [kitFolder]: "" }).filter((file) => existsSync(join(path, file)));
  if (taken.length > 0) {
    const lines = taken.map((file) => `"${join(folder, file)}" is there already`);
    throw new TaskError(
      "invalid_argument",
      [...lines, "nothing was written; init makes a new folder by its name: throughline init my-tasks"].join("\n"),
    );
  }
  const own = Object.entries(filesOfOwn(packageName(path)));
  const missing = own.filter(([file]) => !existsSync(join(path, file)));
  const files = { ...newFiles, ...Object.fromEntries(missing) };
  write(path, { ...kitFiles, ...files });
  return [
    `Made in ${path}:`,
    ...Object.keys(files).map((file) => `  ${file}`),
    `  ${kitFolder}/  (types and the test kit; keep it beside the handlers)`,
    "",
    "Next:",
    ...nextSteps(folder).map((line) => `  ${line}`),
  ];
}

/** Writes the types and the test kit anew, those of this version. */
export function writeTypes(folder: string): string[] {
  const path = resolve(folder);
  if (!existsSync(path)) throw new TaskError("invalid_argument", `there is no folder "${folder}"`);
  rmSync(join(path, kitFolder), { recursive: true, force: true });
  write(path, kitFiles);
  return [`Wrote ${join(path, kitFolder)}`];
}

function nextSteps(folder: string): string[] {
  const throughline = ownCommand();
  const there = relative(".", folder);
  return [
    ...(there === "" ? [] : [`cd ${quoted(there)}`]),
    `${throughline} test`,
    `${throughline} dev`,
    "and in another terminal:",
    `${throughline} task submit greet '{"to":"Ada"}' --wait`,
  ];
}

function write(path: string, files: Files): void {
  for (const [file, text] of Object.entries(files)) {
    try {
      mkdirSync(dirname(join(path, file)), { recursive: true });
      writeFileSync(join(path, file), text, { flag: "wx" });
    } catch (error) {
      throw new TaskError("unavailable", `writing "${join(path, file)}": ${toFailure(error).message}`);
    }
  }
}

/** A name that npm takes, from the folder's. */
function packageName(path: string): string {
  const name = basename(path)
    .toLowerCase()
    .replace(/[^a-z0-9._~-]+/g, "-")
    .replace(/^[._-]+/, "");
  return name.slice(0, 200) || "tasks";
}
