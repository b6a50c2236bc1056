/**
 * `throughline init`: a folder to write handlers in, with an example, its test, and everything that both import.
 * Guarantees that no file that exists is changed: when files are in the way, it lists them all and writes nothing.
 */

import { existsSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import { basename, dirname, join, relative, resolve } from "node:path";
import { programOnPath, runtime } from "../host/runtime.ts";
import { TaskError, toFailure } from "../words/errors.ts";
import { type AddCommand, withExamples } from "./flags.ts";
import type { AuthorFiles } from "./init/author-files.ts";

export const addInit: AddCommand = (program) => {
  const init = program
    .command("init")
    .description("make a folder to write handlers in: an example, its test, the types; nothing to install")
    .argument("[folder]", "where; made when it is not there", ".")
    .option("--types", "only write the types and the test kit anew, after an upgrade")
    .action(async (folder: string, { types }: { types?: boolean }) => {
      // Bun puts its files together when it builds the executable or reads the source.
      if (runtime.name !== "bun") {
        throw new TaskError("invalid_argument", "throughline init needs Bun: run it by the executable, or by bun");
      }
      const { authorFiles } = await import("./init/author-files.ts");
      const files = authorFiles(packageName(resolve(folder)));
      const lines = types ? writeTypes(folder, files) : initialize(folder, files);
      process.stdout.write(`${lines.join("\n")}\n`);
    });
  withExamples(init, ["throughline init my-tasks", "a new folder"], ["throughline init", "in this folder"]);
};

/** Gives the lines to print: what was written, and what to do next. */
function initialize(folder: string, { kitFolder, kitFiles, newFiles, ownFiles }: AuthorFiles): string[] {
  const path = resolve(folder);
  const taken = Object.keys({ ...newFiles, [kitFolder]: "" }).filter((file) => existsSync(join(path, file)));
  if (taken.length > 0) {
    const lines = taken.map((file) => `"${join(folder, file)}" is there already`);
    throw new TaskError(
      "invalid_argument",
      [...lines, "nothing was written; init makes a new folder by its name: throughline init my-tasks"].join("\n"),
    );
  }
  const own = Object.entries(ownFiles);
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
function writeTypes(folder: string, { kitFiles, kitFolder }: AuthorFiles): string[] {
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

function write(path: string, files: Readonly<Record<string, string>>): void {
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

/** How this very program is called from a shell in any folder, to the letter. */
export function ownCommand(): string {
  const [, script = ""] = process.argv;
  if (runtime.isCompiled)
    return programOnPath("throughline") === process.execPath ? "throughline" : quoted(process.execPath);
  const run = runtime.name === "deno" ? ["run", "-A"] : [];
  return [process.execPath, ...run, script].map(quoted).join(" ");
}

/** A word of a POSIX shell. */
function quoted(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
}
