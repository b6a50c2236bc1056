import { readConfig } from "../../config.ts";
import type { AddCommand } from "../commands.ts";
import { type SettingFlags, withSettings } from "../flags.ts";

export const addConfig: AddCommand = (program) => {
  withSettings(program.command("config"))
    .description("the settings in force, and where each came from")
    .option("--json", "as JSON")
    .action(async ({ json, ...flags }: SettingFlags & { json?: boolean }) => {
      const { showConfig } = await import("../show-config.ts");
      showConfig(readConfig(flags).rows, json ?? false);
    });
};
