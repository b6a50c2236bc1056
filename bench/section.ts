/** What a part of the benchmark reports, and how it is written. Pure. */

import type { Plan } from "./plan.ts";
import type { Target } from "./targets.ts";

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

export function showSection({ title, how, tables }: Section): string {
  return `${[`## ${title}`, how, ...tables.map(showTable)].join("\n\n")}\n`;
}

/** Those of all sections, in one table. */
export function showTargets(targets: readonly Target[]): string {
  const rows = targets.map(({ target, wanted, measured, isMet }) => [target, wanted, measured, verdict(isMet)]);
  return `## Targets\n\n${showTable({ columns: ["target", "wanted", "measured", "met"], rows })}\n`;
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
