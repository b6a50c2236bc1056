/**
 * A trace as a waterfall in the terminal: a row for each span, with its service, its place in the tree, its bar on one
 * common time axis and its duration. Pure; no line is wider than `width`.
 */

import { type RootMark, type SpanRow, toSpanRows } from "../console/span-tree.ts";
import type { ReceivedLog } from "../otlp/log.ts";
import type { ReceivedSpan } from "../otlp/span.ts";
import { assignColors, createPaint, fit, type Paint, styles, textWidth, toPrintable } from "./style.ts";
import { createTimeAxis, formatRuler, type TimeAxis } from "./time-axis.ts";
import { formatDuration } from "./times.ts";

export interface WaterfallOptions {
  /** Cells; less than 60 counts as 60. */
  width: number;
  /** Without it the lines hold no escape sequence. */
  color: boolean;
  title?: string;
  /** Each on a line below its span; those of no span shown are left out. */
  logs?: readonly ReceivedLog[];
}

const minWidth = 60;
const spacing = "  ";
const errorMark = "✗";
const rootMarks: Record<RootMark, string> = { orphan: "? ", linked: "↳ " };

/** Cells of each column; `spacing` stands between them. */
interface Columns {
  service: number;
  name: number;
  bar: number;
  duration: number;
}

/** What every row is drawn with. */
interface Canvas {
  width: number;
  columns: Columns;
  axis: TimeAxis;
  colors: ReadonlyMap<string, string>;
  paint: Paint;
}

/** One trace, or several that are linked: their roots follow each other in the order they started. */
export function renderWaterfall(spans: readonly ReceivedSpan[], options: WaterfallOptions): string[] {
  const width = Math.max(minWidth, Math.floor(options.width));
  const paint = createPaint(options.color);
  const tree = toSpanRows(spans);
  const title = options.title ? [paint(styles.bold, fit(options.title, width).trimEnd())] : [];
  if (tree.length === 0) return [...title, paint(styles.dim, "no spans")];
  const columns = measure(tree, width);
  const rows = condense(tree, columns.name);
  const axis = createTimeAxis(
    rows.map((row) => row.span),
    columns.bar,
  );
  const colors = assignColors(rows.map((row) => row.span.service));
  const canvas: Canvas = { width, columns, axis, colors, paint };
  const logs = Map.groupBy(options.logs ?? [], (log) => `${log.traceId}/${log.spanId}`);
  const lines = rows.flatMap((row) => [
    drawRow(row, canvas),
    ...drawError(row, canvas),
    ...(logs.get(`${row.span.traceId}/${row.span.spanId}`) ?? []).map((log) => drawLog(row, log, canvas)),
  ]);
  return [...title, drawHead(rows, canvas), "", drawRuler(canvas), ...lines].map((line) => line.trimEnd());
}

/** Names and services take what they need up to a share of the width; the bars have the rest. */
function measure(rows: readonly SpanRow[], width: number): Columns {
  const service = Math.min(
    widest(rows, (row) => textWidth(toPrintable(row.span.service))),
    Math.floor(width * 0.16),
  );
  const name = Math.min(widest(rows, labelWidth), Math.floor(width * 0.6) - 15);
  const duration = widest(rows, (row) => formatDuration(durationOf(row.span)).length);
  const marks = rows.some(isFailed) ? spacing.length + errorMark.length : 0;
  return { service, name, duration, bar: width - service - name - duration - marks - 3 * spacing.length };
}

function widest(rows: readonly SpanRow[], toWidth: (row: SpanRow) => number): number {
  return rows.reduce((most, row) => Math.max(most, toWidth(row)), 0);
}

/** Trace, how long, how many of what; on a short line first the id is cut, then the services go. */
function drawHead(rows: readonly SpanRow[], { width, axis, paint }: Canvas): string {
  const traces = [...new Set(rows.map((row) => row.span.traceId))];
  const failed = rows.filter(isFailed).length;
  const errors = failed > 0 ? count(failed, "error") : "no errors";
  const id = toPrintable(traces[0] ?? "");
  const shortId = id.length > 9 ? fit(id, 9) : id;
  const linked = traces.length > 1 ? ` + ${traces.length - 1} linked` : "";
  const duration = formatDuration((axis.runs.at(-1)?.endMs ?? 0) - (axis.runs[0]?.startMs ?? 0));
  const spans = count(rows.length, "span");
  const services = count(new Set(rows.map((row) => row.span.service)).size, "service");
  const all = `${linked}${spacing}${[duration, spans, services, ""].join(" · ")}`;
  const few = `${linked}${spacing}${[duration, spans, ""].join(" · ")}`;
  const fits = (head: string, tail: string): boolean => textWidth(`trace ${head}${tail}${errors}`) <= width;
  const head = fits(id, all) ? id : shortId;
  const tail = fits(head, all) ? all : few;
  return `trace ${paint(styles.bold, head)}${tail}${failed > 0 ? paint(styles.red, errors) : errors}`;
}

function count(number: number, noun: string): string {
  return `${number} ${noun}${number === 1 ? "" : "s"}`;
}

function drawRuler({ columns, axis, paint }: Canvas): string {
  const before = " ".repeat(columns.service + columns.name + 2 * spacing.length);
  return before + paint(styles.dim, formatRuler(axis, columns.bar));
}

function drawRow(row: SpanRow, canvas: Canvas): string {
  const { columns, colors, paint } = canvas;
  const { service } = row.span;
  const duration = formatDuration(durationOf(row.span)).padStart(columns.duration);
  return [
    paint(colors.get(service) ?? styles.bold, fit(service, columns.service)),
    drawLabel(row, columns.name, paint),
    drawBar(row, canvas),
    isFailed(row) ? paint(styles.red, `${duration}${spacing}${errorMark}`) : duration,
  ].join(spacing);
}

/** Guides, mark, name and attempt in exactly `cells` cells; it is the name that is cut. */
function drawLabel(row: SpanRow, cells: number, paint: Paint): string {
  const before = cutGuides(row.guides, row, cells) + markOf(row);
  const free = cells - textWidth(before);
  const name = toPrintable(row.span.name);
  const attempt = fitAttempt(row, free);
  const shown = fit(name, Math.min(textWidth(name), free - textWidth(attempt)));
  const after = " ".repeat(free - textWidth(shown + attempt));
  return paint(styles.dim, before) + shown + paint(styles.dim, attempt) + after;
}

function labelWidth(row: SpanRow): number {
  return row.guides.length + textWidth(markOf(row) + toPrintable(row.span.name) + attemptOf(row));
}

function markOf({ mark }: SpanRow): string {
  return mark ? rootMarks[mark] : "";
}

function attemptOf({ attempt }: SpanRow): string {
  return attempt === undefined ? "" : toPrintable(` · attempt ${attempt}`);
}

/** In full beside a whole name; a name that must be cut keeps two thirds of the room. */
function fitAttempt(row: SpanRow, free: number): string {
  const full = attemptOf(row);
  if (textWidth(toPrintable(row.span.name) + full) <= free) return full;
  const short = full.replace(" · attempt ", " #");
  return textWidth(short) <= free / 3 ? short : "";
}

/** Two cells a level instead of three, when labels must be cut and the deepest has more guides than name. */
function condense(rows: readonly SpanRow[], cells: number): readonly SpanRow[] {
  const isRoomy = rows.every((row) => row.guides.length <= cells / 2) || widest(rows, labelWidth) <= cells;
  if (isRoomy) return rows;
  const shorten = (guides: string): string => guides.replace(/(.)../gu, "$1 ");
  return rows.map((row) => ({ ...row, guides: shorten(row.guides), continuation: shorten(row.continuation) }));
}

/** Of a label that must be cut the guides keep at most half: the outer levels go. Cuts any text below them alike. */
function cutGuides(text: string, row: SpanRow, cells: number): string {
  const most = Math.max(Math.floor(cells / 2), cells - (labelWidth(row) - row.guides.length));
  const excess = row.guides.length - most;
  return excess > 0 ? `…${text.slice(excess + 1)}` : text;
}

/** In halves of a cell: `▗` and `▖` are the right and the left half of `▄`. */
function drawBar({ span }: SpanRow, { columns, axis, colors, paint }: Canvas): string {
  const { from, to } = axis.place(span);
  const [start, end] = [Math.round(from * 2), Math.round(to * 2)];
  const [first, last] = [Math.floor(start / 2), Math.ceil(end / 2)];
  let bar = "";
  for (let cell = first; cell < last; cell++) bar += cell * 2 < start ? "▗" : cell * 2 + 1 < end ? "▄" : "▖";
  const painted = paint(colors.get(span.service) ?? styles.bold, bar);
  return drawTrack(axis, 0, first, paint) + painted + drawTrack(axis, last, columns.bar, paint);
}

/** The axis where nothing is on it: only its breaks show. */
function drawTrack(axis: TimeAxis, from: number, to: number, paint: Paint): string {
  const breaks = new Set(axis.breaks.map((pause) => Math.floor((pause.fromCell + pause.toCell) / 2)));
  let track = "";
  for (let cell = from; cell < to; cell++) track += breaks.has(cell) ? "┊" : " ";
  return paint(styles.dim, track);
}

/** The error of the span, on a line below it. */
function drawError(row: SpanRow, canvas: Canvas): string[] {
  return row.error === undefined ? [] : [drawBelow(row, row.error, styles.red, canvas)];
}

/** Its level and its message; what else it says is in the JSON. */
function drawLog(row: SpanRow, { severityText, body }: ReceivedLog, canvas: Canvas): string {
  return drawBelow(row, `${severityText || "log"}: ${body}`, styles.dim, canvas);
}

/** On a line of its own below the name; it may run on below the bars. */
function drawBelow(row: SpanRow, message: string, style: string, { width, columns, axis, paint }: Canvas): string {
  const { continuation } = row;
  const guides = cutGuides(continuation, row, columns.name);
  const before = columns.service + spacing.length;
  const text = fit(message, Math.min(textWidth(toPrintable(message)), width - before - guides.length));
  const barStart = before + columns.name + spacing.length;
  const end = before + guides.length + textWidth(text) + 1;
  const track = drawTrack(axis, Math.max(0, end - barStart), columns.bar, paint);
  const line = " ".repeat(before) + paint(styles.dim, guides) + paint(style, text);
  return `${line} ${" ".repeat(Math.max(0, barStart - end))}${track}`;
}

function isFailed(row: SpanRow): boolean {
  return row.span.status.code === "ERROR";
}

/** Never negative: a clock that was set back can end a span before its start. */
function durationOf({ startMs, endMs }: ReceivedSpan): number {
  return Math.max(0, endMs - startMs);
}
