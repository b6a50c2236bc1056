/**
 * What is printed in a handler's thread, by a handler, what it imports, or a library: each call of the console, and of
 * `write` of `process.stdout` and `process.stderr`, is a log line. What goes to file descriptor 1 itself does not come by here:
 * see stdout.ts.
 */

import { Console } from "node:console";
import type { LogLevel } from "../../settings/parsers.ts";

export interface PrintedBy {
  /** A call of a method of the console whose name is that of a level, or `log`. */
  onLogged(level: LogLevel, given: readonly unknown[]): void;
  /** Text that is formatted already: a table, a stack, what a library wrote. */
  onWritten(level: LogLevel, text: string): void;
}

const loggedAs = { log: "info", info: "info", debug: "debug", warn: "warn", error: "error" } as const;

/** All others write what they have formatted. */
const written = [
  ...(["table", "dir", "dirxml", "trace", "assert", "group", "groupCollapsed", "groupEnd"] as const),
  ...(["count", "countReset", "time", "timeLog", "timeEnd"] as const),
];

/** For the rest of this thread's life. */
export function captureOutput({ onLogged, onWritten }: PrintedBy): void {
  const { console } = globalThis;
  for (const [name, level] of Object.entries(loggedAs)) {
    Object.assign(console, { [name]: (...given: unknown[]) => onLogged(level, given) });
  }
  captureWrites(process.stdout, (text) => onWritten("info", text));
  captureWrites(process.stderr, (text) => onWritten("warn", text));
  const formatting = new Console(process.stdout, process.stderr);
  for (const name of written) Object.assign(console, { [name]: formatting[name].bind(formatting) });
}

function captureWrites(stream: NodeJS.WriteStream, onText: (text: string) => void): void {
  const write = (chunk: unknown, encoding?: unknown, callback: unknown = encoding): boolean => {
    const text = typeof chunk === "string" ? chunk : new TextDecoder().decode(toBytes(chunk));
    if (text.trim() !== "") onText(text.replace(/\r?\n$/, ""));
    if (typeof callback === "function") queueMicrotask(() => callback());
    return true;
  };
  Object.assign(stream, { write });
}

function toBytes(chunk: unknown): Uint8Array {
  return chunk instanceof Uint8Array ? chunk : new Uint8Array();
}
