/** `throughline config`: the settings in force and where each came from. No setting holds a secret. */

import { readConfig, type SettingRow } from "../config.ts";
import { type AddCommand, type SettingFlags, withExamples, withSettings } from "./flags.ts";

export const addConfig: AddCommand = (program) => {
  const command = program
    .command("config")
    .description("the settings in force, and where each came from")
    .option("--json", "as JSON");
  withSettings(command).action(async ({ json, ...flags }: SettingFlags & { json?: boolean }) => {
    showConfig(readConfig(flags).rows, json ?? false);
  });
  withExamples(
    command,
    ["throughline config --threads=3", "what would be, with this flag"],
    ["throughline config --json", "for a script"],
  );
};

function showConfig(rows: readonly SettingRow[], asJson: boolean): void {
  if (asJson) {
    const settings = rows.map(({ name, flag, variable, value, source }) => ({ name, flag, variable, value, source }));
    process.stdout.write(`${JSON.stringify(settings)}\n`);
    return;
  }
  const wide = (pick: (row: SettingRow) => string): number => Math.max(...rows.map((row) => pick(row).length));
  const flagWidth = wide(({ flag }) => flag);
  const valueWidth = wide(({ value }) => value);
  for (const { flag, value, source } of rows) {
    process.stdout.write(`${flag.padEnd(flagWidth)}  ${value.padEnd(valueWidth)}  ${source}\n`);
  }
}
