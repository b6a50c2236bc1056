/** `throughline config`: the settings in force and where each came from. No setting holds a secret. */

import type { SettingRow } from "../config.ts";

export function showConfig(rows: readonly SettingRow[], asJson: boolean): void {
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
