/** What a part of the benchmark reports, and how it is written. Pure. */

import type { Plan } from "./plan.ts";

/** One part: what it measures, and its doing. */
export interface Part {
  /** As on the command line. */
  name: string;
  run(context: Context): Promise<Section>;
}

export interface Context {
  plan: Plan;
  /** One line for who waits. */
  say(line: string): void;
}

export interface Section {
  title: string;
  /** What is measured, and how. */
  how: string;
  tables: readonly Table[];
  targets: readonly Target[];
}

export interface Table {
  title?: string;
  columns: readonly string[];
  rows: readonly (readonly string[])[];
}

export interface Target {
  target: string;
  /** What was measured. */
  figure: string;
  /** undefined: a contestant was not there to be compared with. */
  isMet: boolean | undefined;
}

export function showSection({ title, how, tables, targets }: Section): string {
  const parts = [`## ${title}`, how, ...tables.map(showTable)];
  if (targets.length > 0) parts.push(showTable(toTable(targets)));
  return `${parts.join("\n\n")}\n`;
}

function toTable(targets: readonly Target[]): Table {
  const rows = targets.map(({ target, figure, isMet }) => [target, figure, verdict(isMet)]);
  return { columns: ["target", "measured", "met"], rows };
}

function verdict(isMet: boolean | undefined): string {
  if (isMet === undefined) return "not measured";
  return isMet ? "yes" : "**no**";
}

function showTable({ title, columns, rows }: Table): string {
  const line = (cells: readonly string[]): string =>
    `| ${cells.map((cell) => cell.replaceAll("|", "\\|")).join(" | ")} |`;
  const lines = [line(columns), line(columns.map((_, index) => (index === 0 ? "---" : "---:"))), ...rows.map(line)];
  return [...(title === undefined ? [] : [`${title}:`, ""]), ...lines].join("\n");
}

/** `value` at least `wanted`, both in words; `value` NaN: not measured. */
export function atLeast(target: string, value: number, wanted: number, show: (value: number) => string): Target {
  return {
    target,
    figure: Number.isNaN(value) ? "–" : show(value),
    isMet: Number.isNaN(value) ? undefined : value >= wanted,
  };
}

/** The same, at most. */
export function atMost(target: string, value: number, wanted: number, show: (value: number) => string): Target {
  return {
    target,
    figure: Number.isNaN(value) ? "–" : show(value),
    isMet: Number.isNaN(value) ? undefined : value <= wanted,
  };
}
