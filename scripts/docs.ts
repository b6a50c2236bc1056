/**
 * `bun run docs`: writes the tables of docs/telemetry.md and the commands of docs/cli.md anew from the code. A test
 * holds that it is done.
 */

import { join } from "node:path";
import type { Argument, Command, Option } from "commander";
import { apiGroup, examplesOf, isApi, isSettings, settingsGroup } from "../src/cli/flags.ts";
import { createProgram } from "../src/cli/program.ts";
import { type Instrument, instruments } from "../src/telemetry/metrics/instruments.ts";
import { familyNameOf, labelOf } from "../src/telemetry/metrics/prometheus.ts";
import { anySpan, spanTable } from "../src/telemetry/spans/span-table.ts";

const telemetryPath = join(import.meta.dir, "../docs/telemetry.md");
const cliPath = join(import.meta.dir, "../docs/cli.md");

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

/** The page with every command below the heading "Commands", which is its last. */
export function withCommands(page: string): string {
  const heading = "## Commands\n";
  const at = page.indexOf(heading);
  if (at < 0) throw new Error("there is no heading for the commands");
  return `${page.slice(0, at)}${heading}\n${leavesOf(createProgram(() => {}))
    .map(toSection)
    .join("\n\n")}\n`;
}

/** Commands that do something: not the groups of others. */
export function leavesOf(command: Command): Command[] {
  return command.commands.length === 0 ? [command] : command.commands.flatMap(leavesOf);
}

/** `throughline task submit` */
export function nameOf(command: Command): string {
  return command.parent ? `${nameOf(command.parent)} ${command.name()}` : command.name();
}

function toSection(command: Command): string {
  const words = command.registeredArguments.map((argument) => {
    const name = `${argument.name()}${argument.variadic ? "..." : ""}`;
    return argument.required ? `<${name}>` : `[${name}]`;
  });
  const own = command.options.filter(
    ({ helpGroupHeading }) => ![settingsGroup, apiGroup].includes(helpGroupHeading ?? ""),
  );
  const rows = [
    ...command.registeredArguments.map((argument) => [code(argument.name()), withChoices(argument)]),
    ...own.map((option) => [code(option.flags), withChoices(option)]),
    ...(isSettings(command) ? [["every setting", "[the table of settings](operations.md#settings)"]] : []),
    ...(isApi(command)
      ? [["`--url <url>`, `--json`", "[as all that talk to a system](#all-that-talk-to-a-system)"]]
      : []),
  ];
  const examples = examplesOf(command).flatMap(([line, does]) => [`# ${does}`, line]);
  const about = command.description();
  return [
    `### ${nameOf(command)}`,
    "",
    `${code([nameOf(command), ...words].join(" "))}: ${about}.`,
    "",
    ...(rows.length === 0 ? [] : [...toLines([["", "means"], ...rows]), ""]),
    "```sh",
    ...examples,
    "```",
  ].join("\n");
}

function withChoices({ description, argChoices = [] }: Option | Argument): string {
  const choices = argChoices.length === 0 ? "" : `: ${codes(argChoices)}`;
  return `${description}${choices}`.replaceAll("|", "\\|");
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
  await Bun.write(telemetryPath, withTables(await Bun.file(telemetryPath).text()));
  await Bun.write(cliPath, withCommands(await Bun.file(cliPath).text()));
}
