/** A folder of handlers that a test edits while they run. */

import { mkdir, rename, rm, writeFile } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { tempFolder } from "./temp-folder.ts";

export interface EditedHandlers extends AsyncDisposable {
  path: string;
  /** Writes it in one step, as editors do. */
  write(file: string, text: string): Promise<void>;
  remove(file: string): Promise<void>;
}

export async function editedHandlers(files: Record<string, string>): Promise<EditedHandlers> {
  const folder = await tempFolder();
  const write = async (file: string, text: string): Promise<void> => {
    const path = join(folder.path, file);
    await mkdir(dirname(path), { recursive: true });
    // A hidden name, which nobody watches.
    const unfinished = join(dirname(path), `.${basename(path)}`);
    await writeFile(unfinished, text);
    await rename(unfinished, path);
  };
  for (const [file, text] of Object.entries(files)) await write(file, text);
  return {
    path: folder.path,
    write,
    remove: (file) => rm(join(folder.path, file)),
    [Symbol.asyncDispose]: () => folder[Symbol.asyncDispose](),
  };
}

/** A handler that asks the `url` of its payload, where there is one, and then tells which version of it this is. */
export function versioned(version: string): string {
  return `export default {
  async run({ payload }, ctx) {
    if (payload.url) await ctx.fetch(payload.url);
    return ${JSON.stringify(version)};
  },
};
`;
}
