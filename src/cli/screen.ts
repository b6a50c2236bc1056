/**
 * Where the command line writes. What was asked for goes to stdout, all talk about it to stderr, so that a pipe gets the
 * one without the other.
 */

import { isColorWanted } from "../config.ts";
import { createPaint, type Paint } from "../console/terminal.ts";
import type { Canvas } from "./table.ts";

export interface Screen {
  canvas: Canvas;
  isTerminal: boolean;
  paint: Paint;
  print(...lines: readonly string[]): void;
}

export function resultScreen(): Screen {
  return toScreen(process.stdout);
}

export function talkScreen(): Screen {
  return toScreen(process.stderr);
}

function toScreen(stream: NodeJS.WriteStream): Screen {
  const isTerminal = stream.isTTY ?? false;
  const color = isColorWanted(isTerminal);
  return {
    // A terminal may say that it has no columns at all.
    canvas: { width: isTerminal ? stream.columns || 80 : undefined, color },
    isTerminal,
    paint: createPaint(color),
    print: (...lines) => void stream.write(lines.map((line) => `${line}\n`).join("")),
  };
}

/** The forms in which a result can be asked for. */
export interface FormFlags {
  json?: boolean;
  quiet?: boolean;
}

export interface Result {
  /** The API's own. */
  json: string;
  ids: readonly string[];
  forPeople(screen: Screen): readonly string[];
}

/** Prints it in the form that was asked for. */
export function printResult({ json, quiet }: FormFlags, result: Result): void {
  const screen = resultScreen();
  if (json) printJson(result.json);
  else screen.print(...(quiet ? result.ids : result.forPeople(screen)));
}

/** One JSON text on a line of its own. What a terminal would take for a command stays an escape. */
function printJson(json: string): void {
  const safe = json.replace(/[\u007f-\u009f]/g, (char) => `\\u00${char.charCodeAt(0).toString(16)}`);
  process.stdout.write(`${safe}\n`);
}
