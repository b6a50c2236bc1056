/**
 * Text in a terminal: what is safe to print, how wide it is, how it is coloured. Pure.
 * What comes from outside (names, messages) goes through `fit` before it is painted: an escape sequence in a span's
 * name must not reach the terminal.
 */

import { eastAsianWidth } from "get-east-asian-width";

/** Cuts to `width` cells with an ellipsis, or fills up with spaces; control and invisible characters are dropped. */
export function fit(text: string, width: number): string {
  const safe = toPrintable(text);
  const cells = textWidth(safe);
  if (cells <= width) return safe + " ".repeat(width - cells);
  let kept = "";
  let used = 0;
  for (const char of safe) {
    if (used + charWidth(char) > width - 1) break;
    kept += char;
    used += charWidth(char);
  }
  return width < 1 ? "" : `${kept}…${" ".repeat(width - 1 - used)}`;
}

/** One line of characters that only take room: no escapes, no line breaks, no changes of direction. */
export function toPrintable(text: string): string {
  return text.replace(/\s+/gu, " ").replace(/\p{C}|\uFE0F/gu, "");
}

/**
 * JSON text on one line, since a payload has its caller's line breaks, all of them between tokens; control characters in
 * texts are escaped, so that a terminal does not obey them.
 */
export function toJsonLine(json: string): string {
  const line = json.replace(/[\n\r]/g, " ");
  return line.replace(/[\u007f-\u009f]/g, (char) => `\\u00${char.charCodeAt(0).toString(16)}`);
}

/** Cells that printable text takes; East Asian wide characters and emoji take two. */
export function textWidth(text: string): number {
  let cells = 0;
  for (const char of text) cells += charWidth(char);
  return cells;
}

function charWidth(char: string): number {
  if (char < "\u0300") return 1;
  if (/[\p{Mn}\p{Me}]/u.test(char)) return 0;
  return eastAsianWidth(char.codePointAt(0) ?? 0);
}

/** Paints text in a style, or leaves it as it is. */
export type Paint = (style: string, text: string) => string;

/** Parameters of ECMA-48 "Select Graphic Rendition". */
export const styles = { bold: "1", dim: "2", red: "31", green: "32", yellow: "33", cyan: "36" } as const;

export function createPaint(color: boolean): Paint {
  return (style, text) => {
    // Spaces at the end stay outside, where the end of the line can be trimmed.
    const seen = text.trimEnd();
    return color && seen ? `\x1b[${style}m${seen}\x1b[0m${text.slice(seen.length)}` : text;
  };
}

/** Of the 256 colours, middle tones that read on black and on white; no red, which means an error. */
const palette = [39, 37, 99, 143, 67, 170, 71, 208].map((color) => `38;5;${color}`);

/** A style for each name: the same name has the same colour every time, unless it has to give way to another. */
export function assignColors(names: Iterable<string>): Map<string, string> {
  const assigned = new Map<string, string>();
  const free = new Set(palette.keys());
  for (const name of [...new Set(names)].sort()) {
    const wanted = hash(name) % palette.length;
    const index = free.has(wanted) || free.size === 0 ? wanted : nextFree(wanted, free);
    free.delete(index);
    assigned.set(name, palette[index] ?? styles.bold);
  }
  return assigned;
}

function nextFree(wanted: number, free: ReadonlySet<number>): number {
  return [...free].find((index) => index > wanted) ?? Math.min(...free);
}

/** FNV-1a, 32 bits. */
function hash(text: string): number {
  let value = 0x811c9dc5;
  for (const byte of new TextEncoder().encode(text)) value = Math.imul(value ^ byte, 0x01000193) >>> 0;
  return value;
}
