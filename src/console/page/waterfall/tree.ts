/** The rows of a trace as a tree that can be folded and searched. Pure. */

import type { LogView, SpanView } from "../../task-trace-view.ts";

export type TraceRow = SpanView | LogView;

export interface TreeRow {
  row: TraceRow;
  /** The same each time the trace is loaded. */
  key: string;
  /** Of the parent among all rows; -1: none. */
  parent: number;
  /** Behind the last row below this one, among all rows. */
  end: number;
}

export function isSpan(row: TraceRow): row is SpanView {
  return row.kind !== "log";
}

export function isError(row: TraceRow): boolean {
  return row.kind === "log" ? /^(error|fatal)/i.test(row.severity) : row.status.code === "ERROR";
}

/** Rows come as the API gives them: each below its parent, with its depth. */
export function toTree(rows: readonly TraceRow[]): TreeRow[] {
  const tree: TreeRow[] = [];
  const open: number[] = [];
  const seen = new Map<string, number>();
  const closeTo = (depth: number, index: number): void => {
    while (open.length > 0 && (rows[open.at(-1) ?? 0]?.depth ?? 0) >= depth) {
      const closed = tree[open.pop() ?? 0];
      if (closed) closed.end = index;
    }
  };
  for (const [index, row] of rows.entries()) {
    closeTo(row.depth, index);
    const name = row.kind === "log" ? `log ${row.trace_id} ${row.span_id} ${row.offset_ms}` : keyOf(row);
    const times = (seen.get(name) ?? 0) + 1;
    seen.set(name, times);
    tree.push({ row, key: times === 1 ? name : `${name} ${times}`, parent: open.at(-1) ?? -1, end: index + 1 });
    open.push(index);
  }
  closeTo(0, rows.length);
  return tree;
}

export function keyOf({ trace_id, span_id }: { trace_id: string; span_id: string }): string {
  return `${trace_id}/${span_id}`;
}

/** The places of the rows that show when what is below these keys is folded away. */
export function unfolded(tree: readonly TreeRow[], folded: ReadonlySet<string>): number[] {
  const shown: number[] = [];
  for (let index = 0; index < tree.length; ) {
    const each = tree[index];
    if (!each) break;
    shown.push(index);
    index = folded.has(each.key) ? each.end : index + 1;
  }
  return shown;
}

/** The keys above a row, which have to be open for it to show. */
export function keysAbove(tree: readonly TreeRow[], index: number): string[] {
  const keys: string[] = [];
  for (let at = tree[index]?.parent ?? -1; at >= 0; at = tree[at]?.parent ?? -1) {
    const above = tree[at];
    if (above) keys.push(above.key);
  }
  return keys;
}

export function hasChildren(tree: readonly TreeRow[], index: number): boolean {
  return (tree[index]?.end ?? 0) > index + 1;
}

/** The keys of all rows that can be folded, but those at the top. */
export function parentsOf(tree: readonly TreeRow[]): string[] {
  return tree.filter(({ row }, index) => row.depth > 0 && hasChildren(tree, index)).map(({ key }) => key);
}

/** Where the row is that an address names, by its span's id or its key; the first one, when there is none. */
export function placeOf(tree: readonly TreeRow[], name: string | null): number {
  return Math.max(
    0,
    tree.findIndex(({ key, row }) => key === name || (isSpan(row) && row.span_id === name)),
  );
}

/** Places of the rows that contain all of these words: in their name, their service, their attributes, their message. */
export function findRows(tree: readonly TreeRow[], text: string): number[] {
  const words = text.toLowerCase().split(/\s+/).filter(Boolean);
  if (words.length === 0) return [];
  return tree.flatMap(({ row }, index) => {
    const content = textOf(row);
    return words.every((word) => content.includes(word)) ? index : [];
  });
}

function textOf(row: TraceRow): string {
  const own =
    row.kind === "log" ? [row.message, row.severity] : [row.name, row.status.message, row.span_id, row.events];
  return JSON.stringify([own, row.service, row.trace_id, row.attributes]).toLowerCase();
}

/** Which spans each span is linked from, by the key of the one that is linked to. */
export function linkedFrom(tree: readonly TreeRow[]): Map<string, SpanView[]> {
  const from = new Map<string, SpanView[]>();
  for (const { row } of tree) {
    if (!isSpan(row)) continue;
    for (const link of row.links) from.set(keyOf(link), [...(from.get(keyOf(link)) ?? []), row]);
  }
  return from;
}

/** A number from 1 to 8 for each service, in the order they appear: its colour. */
export function huesOf(tree: readonly TreeRow[]): Map<string, number> {
  const hues = new Map<string, number>();
  for (const { row } of tree) {
    if (row.kind !== "wait" && !hues.has(row.service)) hues.set(row.service, (hues.size % 8) + 1);
  }
  return hues;
}
