/** One thing with its facts, a line each: what `show` and `get` print. Pure. */

import wrapAnsi from "wrap-ansi";
import { createPaint, styles, textWidth, toPrintable } from "../terminal/style.ts";
import type { Canvas } from "../terminal/table.ts";

/** A name and what it is; what is not there is not shown. `style`: as in a table. */
export type Fact = readonly [name: string, value: string | null | undefined, style?: string | undefined];

const gap = 2;

/** Values stand in one column, and go on there when they have several lines. */
export function renderFacts(facts: readonly Fact[], canvas: Canvas): string[] {
  const paint = createPaint(canvas.color);
  const shown = facts.filter(([, value]) => value !== null && value !== undefined && value !== "");
  const width = Math.max(0, ...shown.map(([name]) => textWidth(name)));
  const room = canvas.width === undefined ? undefined : Math.max(20, canvas.width - width - gap);
  return shown.flatMap(([name, value, style]) =>
    linesOf(value ?? "", room).map((text, at) => {
      const title = paint(styles.dim, (at === 0 ? name : "").padEnd(width + gap));
      return `${title}${style === undefined ? text : paint(style, text)}`.trimEnd();
    }),
  );
}

/** As long as they may be, and safe to print. */
function linesOf(value: string, room: number | undefined): string[] {
  return value.split("\n").flatMap((text) => {
    // Spaces at the beginning are the indent of JSON.
    const indent = /^ */.exec(text)?.[0] ?? "";
    const safe = toPrintable(text.slice(indent.length));
    const lines = room === undefined ? [safe] : wrapAnsi(safe, room - indent.length, { hard: true }).split("\n");
    return lines.map((line) => indent + line);
  });
}

/** JSON on one line when that fits, else indented. */
export function jsonText(value: unknown, canvas: Canvas): string {
  const line = JSON.stringify(value);
  const room = canvas.width === undefined ? Number.POSITIVE_INFINITY : canvas.width - 16;
  return textWidth(line) <= room ? line : JSON.stringify(value, null, 2);
}
