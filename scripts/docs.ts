/** `bun run docs`: writes the tables of docs/telemetry.md anew from those of the code. A test holds that it is done. */

import { join } from "node:path";
import { type Instrument, instruments } from "../src/telemetry/instruments.ts";
import { familyNameOf, labelOf } from "../src/telemetry/metric-family.ts";
import { anySpan, spanTable } from "../src/telemetry/span-table.ts";

const path = join(import.meta.dir, "../docs/telemetry.md");

type Table = [head: string[], ...rows: string[][]];

/** The page with each of these tables as the code has it, in place of the first one below its heading. */
export function withTables(page: string): string {
  return replaceTable(replaceTable(page, "Attributes", spanRows()), "Metrics", metricRows());
}

function spanRows(): Table {
  const rows = spanTable.map(({ title, kind, always, sometimes }) => [title, kind, codes(always), cases(sometimes)]);
  return [["span", "kind", "always", "also"], ...rows, ["any", "", "", cases(anySpan)]];
}

function metricRows(): Table {
  const all: Instrument[] = Object.values(instruments);
  const rows = all.map((instrument) => [
    code(familyNameOf(instrument) + (typeOf(instrument) === "counter" ? "_total" : "")),
    typeOf(instrument),
    codes(instrument.labels.map(labelOf)),
    instrument.unit === "" ? "" : code(instrument.unit),
    instrument.description,
  ]);
  return [["at `/metrics`", "type", "labels", "unit", "means"], ...rows];
}

function typeOf({ kind }: Instrument): string {
  if (kind === "observed_counter") return "counter";
  return kind === "up_down" ? "gauge" : kind;
}

function cases(keys: Readonly<Record<string, string>>): string {
  return Object.entries(keys)
    .map(([name, when]) => `${code(name)} ${when}`)
    .join("; ");
}

function codes(names: readonly string[]): string {
  return names.map(code).join(", ");
}

function code(text: string): string {
  return `\`${text}\``;
}

function replaceTable(page: string, title: string, table: Table): string {
  const lines = page.split("\n");
  const heading = lines.indexOf(`## ${title}`);
  const first = lines.findIndex((line, index) => index > heading && line.startsWith("|"));
  if (heading < 0 || first < 0) throw new Error(`there is no table below "${title}"`);
  const length = lines.slice(first).findIndex((line) => !line.startsWith("|"));
  lines.splice(first, length, ...toLines(table));
  return lines.join("\n");
}

/** As the formatter leaves it: columns as wide as their widest cell. */
function toLines(table: Table): string[] {
  const [head] = table;
  const widths = head.map((_, column) => Math.max(3, ...table.map((row) => [...(row[column] ?? "")].length)));
  const toLine = (row: readonly string[]): string =>
    `| ${widths.map((width, column) => pad(row[column] ?? "", width)).join(" | ")} |`;
  const rule = `| ${widths.map((width) => "-".repeat(width)).join(" | ")} |`;
  return [toLine(head), rule, ...table.slice(1).map(toLine)];
}

function pad(text: string, width: number): string {
  return text + " ".repeat(width - [...text].length);
}

if (import.meta.main) {
  await Bun.write(path, withTables(await Bun.file(path).text()));
}
