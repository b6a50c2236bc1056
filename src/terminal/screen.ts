/**
 * Where the command line writes. Results go to stdout and messages about them to stderr, so that a pipe gets the result
 * alone.
 */

import { isColorWanted } from "../config.ts";
import { writeJson } from "../words/json-text.ts";
import { createPaint, type Paint, styles, toJsonLine } from "./style.ts";
import type { Canvas } from "./table.ts";

export interface Screen {
  canvas: Canvas;
  isTerminal: boolean;
  paint: Paint;
  print(...lines: readonly string[]): void;
  /** Commands to type next: shown on a terminal, unless `--json` or `--quiet` was given. */
  suggest(flags: FormFlags, ...commands: readonly string[]): void;
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
  const paint = createPaint(color);
  const print = (...lines: readonly string[]): void => void stream.write(lines.map((line) => `${line}\n`).join(""));
  return {
    // A terminal may say that it has no columns at all.
    canvas: { width: isTerminal ? stream.columns || 80 : undefined, color },
    isTerminal,
    paint,
    print,
    suggest: ({ json, quiet }, ...commands) => {
      if (isTerminal && !json && !quiet) print(...commands.map((command) => paint(styles.dim, `  ${command}`)));
    },
  };
}

/** The flags that choose the form of a result. */
export interface FormFlags {
  json?: boolean;
  quiet?: boolean;
}

export interface Result {
  /** The API's own text. */
  json: string;
  ids: readonly string[];
  forPeople(screen: Screen): readonly string[];
}

export interface ListResult<Item> {
  /** Printed to stderr when the list is empty. */
  nothing: string;
  idOf(item: Item): string;
  forPeople(screen: Screen): readonly string[];
}

/** Prints the items in the form of the flags; stderr tells of an empty list, and of more items. */
export function printList<Item>(
  flags: FormFlags,
  page: { items: readonly Item[]; next_cursor?: string | null },
  { nothing, idOf, forPeople }: ListResult<Item>,
): void {
  const isEmpty = page.items.length === 0;
  printResult(flags, {
    json: writeJson(page),
    ids: page.items.map(idOf),
    forPeople: (screen) => (isEmpty ? [] : forPeople(screen)),
  });
  if (flags.json || flags.quiet) return;
  if (isEmpty) talkScreen().print(nothing);
  if (page.next_cursor) talkScreen().print("there are more: --limit shows them");
}

/** Prints the result in the form of the flags. */
export function printResult({ json, quiet }: FormFlags, result: Result): void {
  const screen = resultScreen();
  if (json) printJson(result.json);
  else screen.print(...(quiet ? result.ids : result.forPeople(screen)));
}

/** One JSON text on a line of its own. */
function printJson(json: string): void {
  process.stdout.write(`${toJsonLine(json)}\n`);
}
