import { readConfig } from "../../config.ts";
import type { AddCommand } from "../commands.ts";
import { type SettingFlags, withExamples, withSettings } from "../flags.ts";

export const addConfig: AddCommand = (program) => {
  const command = program
    .command("config")
    .description("the settings in force, and where each came from")
    .option("--json", "as JSON");
  withSettings(command).action(async ({ json, ...flags }: SettingFlags & { json?: boolean }) => {
    const { showConfig } = await import("../show-config.ts");
    showConfig(readConfig(flags).rows, json ?? false);
  });
  withExamples(
    command,
    ["throughline config --threads=3", "what would be, with this flag"],
    ["throughline config --json", "for a script"],
  );
};
