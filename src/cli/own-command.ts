/** How this very program is called from a shell in any folder: what it prints to be typed works to the letter. */

import { programOnPath, runtime } from "../host/runtime.ts";

const name = "throughline";

export function ownCommand(): string {
  const [, script = ""] = process.argv;
  if (runtime.isCompiled) return programOnPath(name) === process.execPath ? name : quoted(process.execPath);
  const run = runtime.name === "deno" ? ["run", "-A"] : [];
  return [process.execPath, ...run, script].map(quoted).join(" ");
}

/** A word of a POSIX shell. */
export function quoted(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
}
