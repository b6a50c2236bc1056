/** Which files of the handlers' folder are handlers, and which are passed over. */

import { readdirSync, statSync } from "node:fs";
import { extname, join } from "node:path";
import type { Logger } from "../../telemetry/logs/log.ts";

const endings = new Set([".ts", ".mts", ".cts", ".tsx", ".js", ".mjs", ".cjs", ".jsx"]);

interface HandlerFiles {
  handlers: string[];
  /** Everything else that is not hidden: other endings, tests, declarations, names with `_`, and folders (with `/`). */
  passedOver: string[];
}

/** Names in the order of the alphabet. */
export function handlerFiles(folder: string): HandlerFiles {
  const entries = readdirSync(folder, { withFileTypes: true })
    .filter(({ name }) => !name.startsWith(".") && name !== "node_modules")
    .map((entry) => {
      const isFolder = entry.isDirectory() || (entry.isSymbolicLink() && leadsToFolder(join(folder, entry.name)));
      return { name: isFolder ? `${entry.name}/` : entry.name, isHandler: !isFolder && isHandlerFile(entry) };
    })
    .sort((one, other) => (one.name < other.name ? -1 : 1));
  return {
    handlers: entries.flatMap(({ name, isHandler }) => (isHandler ? [name] : [])),
    passedOver: entries.flatMap(({ name, isHandler }) => (isHandler ? [] : [name])),
  };
}

/** Names in one log line. */
const maxNames = 50;

/** A type that is missing because of its file's name is found in the log. */
export function tellPassedOver(folder: string | undefined, log: Logger): void {
  const { passedOver } = folder === undefined ? { passedOver: [] } : handlerFiles(folder);
  if (passedOver.length === 0) return;
  log.info("files in the handlers' folder are not handlers", {
    folder,
    files: passedOver.slice(0, maxNames),
    file_count: passedOver.length,
  });
}

/** The type of a handler that does not say one. */
export function typeOfFile(name: string): string {
  return name.slice(0, -extname(name).length);
}

/** Of a link; one that leads nowhere does not, and its file is refused when it is loaded. */
function leadsToFolder(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() ?? false;
}

interface Entry {
  name: string;
  isFile(): boolean;
  isSymbolicLink(): boolean;
}

function isHandlerFile(entry: Entry): boolean {
  const { name } = entry;
  if (!entry.isFile() && !entry.isSymbolicLink()) return false;
  return endings.has(extname(name).toLowerCase()) && !/^_|\.(test|spec|d)\.\w+$/i.test(name);
}
