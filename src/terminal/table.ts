/**
 * Rows as a table, and one thing as a list of facts. Pure. On a terminal a table fits: wide columns shrink first, then the
 * columns that are needed least are left out, and where not even two fit side by side a row takes two lines. Elsewhere
 * nothing is cut.
 */

import wrapAnsi from "wrap-ansi";
import { compact, layOut, textOf } from "../words/json-text.ts";
import { createPaint, fit, type Paint, styles, textWidth, toPrintable } from "./style.ts";

export interface Column<Row> {
  title: string;
  /** What stands in the cell; anything may be in it. */
  cell(row: Row): string;
  /** Parameters of "Select Graphic Rendition"; undefined: plain. */
  style?(row: Row): string | undefined;
  /** Numbers stand on the right. */
  isFigure?: boolean;
  /** The width down to which it may be cut; without it a cell is whole or not there. */
  least?: number;
  /** Columns of the highest number go first when room is short; those without one stay. */
  spare?: number;
}

export interface Canvas {
  /** Cells of a line; undefined: there is no terminal, and no end. */
  width: number | undefined;
  color: boolean;
}

const gap = 2;

/** One line for the titles and one for each row. */
export function renderTable<Row>(columns: readonly Column<Row>[], rows: readonly Row[], canvas: Canvas): string[] {
  const drawn = columns.map((column) => ({ column, cells: rows.map((row) => toPrintable(column.cell(row))) }));
  // On a terminal an empty column only takes room; a script relies on every column.
  const useful = drawn.filter(({ cells }) => canvas.width === undefined || cells.some((cell) => cell !== ""));
  const wide = useful.map(({ column, cells }) => ({
    column,
    cells,
    width: Math.max(textWidth(column.title), ...cells.map(textWidth)),
  }));
  const paint = createPaint(canvas.color);
  const fitting = canvas.width === undefined ? wide : fitColumns(wide, canvas.width);
  if (canvas.width !== undefined && leastOf(fitting) > canvas.width) {
    const { width } = canvas;
    return rows.flatMap((row, at) => stackRow(wide, row, at, { width, paint }));
  }
  const line = (texts: readonly string[], styleOf: (index: number) => string | undefined): string =>
    fitting
      .map(({ column, width }, index) => {
        const cell = align(texts[index] ?? "", width, column.isFigure ?? false);
        const style = styleOf(index);
        return style === undefined ? cell : paint(style, cell);
      })
      .join(" ".repeat(gap))
      .trimEnd();
  const head = line(
    fitting.map(({ column }) => column.title),
    () => styles.dim,
  );
  const body = rows.map((row, at) =>
    line(
      fitting.map(({ cells }) => cells[at] ?? ""),
      (index) => fitting[index]?.column.style?.(row),
    ),
  );
  return [head, ...body];
}

/** The first cell on a line of its own, the others below it as far as they go. */
function stackRow<Row>(
  drawn: readonly Drawn<Row>[],
  row: Row,
  at: number,
  { width, paint }: { width: number; paint: Paint },
): string[] {
  const [first, ...others] = drawn;
  let below = "";
  let room = width;
  for (const { column, cells } of others) {
    const text = cells[at] ?? "";
    if (text === "" || room <= gap) continue;
    const cell = fit(text, Math.min(textWidth(text), room - gap));
    const style = column.style?.(row);
    below += " ".repeat(gap) + (style === undefined ? cell : paint(style, cell));
    room -= gap + textWidth(cell);
  }
  return [fit(first?.cells[at] ?? "", width).trimEnd(), below];
}

function align(text: string, width: number, isFigure: boolean): string {
  const cell = fit(text, width);
  if (!isFigure) return cell;
  const seen = cell.trimEnd();
  return " ".repeat(cell.length - seen.length) + seen;
}

interface Drawn<Row> {
  column: Column<Row>;
  cells: string[];
  width: number;
}

/** The columns that there is room for, each as wide as it may be. */
function fitColumns<Row>(all: readonly Drawn<Row>[], room: number): Drawn<Row>[] {
  const kept = [...all];
  while (leastOf(kept) > room) {
    const spare = kept.reduce((most, { column }) => Math.max(most, column.spare ?? 0), 0);
    if (spare === 0) break;
    kept.splice(
      kept.findLastIndex(({ column }) => column.spare === spare),
      1,
    );
  }
  let over = totalOf(kept.map(({ width }) => width)) - room;
  // The widest gives way first, down to the next one, so that no column is cut while another has plenty.
  const widths = kept.map(({ width }) => width);
  while (over > 0) {
    const cuttable = kept.map(({ column }, index) =>
      (widths[index] ?? 0) > (column.least ?? Number.POSITIVE_INFINITY) ? (widths[index] ?? 0) : 0,
    );
    const widest = cuttable.indexOf(Math.max(...cuttable));
    if ((cuttable[widest] ?? 0) === 0) break;
    widths[widest] = (widths[widest] ?? 0) - 1;
    over -= 1;
  }
  return kept.map((drawn, index) => ({ ...drawn, width: widths[index] ?? drawn.width }));
}

function leastOf<Row>(columns: readonly Drawn<Row>[]): number {
  return totalOf(columns.map(({ column, width }) => Math.min(width, column.least ?? width)));
}

function totalOf(widths: readonly number[]): number {
  return widths.reduce((sum, width) => sum + width, 0) + gap * Math.max(0, widths.length - 1);
}

/** A name and its value; one without a value is not shown. `style`: as in a table. */
export type Fact = readonly [name: string, value: string | null | undefined, style?: string | undefined];

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

/** The lines of a value, none longer than `room`, safe to print. */
function linesOf(value: string, room: number | undefined): string[] {
  return value.split("\n").flatMap((text) => {
    // Spaces at the beginning are the indent of JSON.
    const indent = /^ */.exec(text)?.[0] ?? "";
    const safe = toPrintable(text.slice(indent.length));
    const lines = room === undefined ? [safe] : wrapAnsi(safe, room - indent.length, { hard: true }).split("\n");
    return lines.map((line) => indent + line);
  });
}

/** JSON on one line when that fits, else indented; a payload with its own numbers. */
export function jsonText(value: unknown, canvas: Canvas): string {
  const text = textOf(value);
  const line = compact(text);
  const room = canvas.width === undefined ? Number.POSITIVE_INFINITY : canvas.width - 16;
  return textWidth(line) <= room ? line : layOut(text);
}
