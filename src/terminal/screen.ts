/**
 * Where the command line writes. What was asked for goes to stdout, all talk about it to stderr, so that a pipe gets the
 * one without the other.
 */

import { isColorWanted } from "../config.ts";
import { createPaint, type Paint, styles } from "./style.ts";
import type { Canvas } from "./table.ts";

export interface Screen {
  canvas: Canvas;
  isTerminal: boolean;
  paint: Paint;
  print(...lines: readonly string[]): void;
  /** What may be typed next, for a person who did not ask for another form than people's. */
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

export interface ListResult<Item> {
  /** Said when there is none. */
  nothing: string;
  idOf(item: Item): string;
  forPeople(screen: Screen): readonly string[];
}

/** Prints the items in the form that was asked for, and says when there are none or more. */
export function printList<Item>(
  flags: FormFlags,
  page: { items: readonly Item[]; next_cursor?: string | null },
  { nothing, idOf, forPeople }: ListResult<Item>,
): void {
  const isEmpty = page.items.length === 0;
  printResult(flags, {
    json: JSON.stringify(page),
    ids: page.items.map(idOf),
    forPeople: (screen) => (isEmpty ? [] : forPeople(screen)),
  });
  if (flags.json || flags.quiet) return;
  if (isEmpty) talkScreen().print(nothing);
  if (page.next_cursor) talkScreen().print("there are more: --limit shows them");
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
