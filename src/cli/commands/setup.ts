import { readConfig } from "../../config.ts";
import type { AddCommand } from "../commands.ts";
import { type SettingFlags, withSettings } from "../flags.ts";

export const addSetup: AddCommand = (program) => {
  withSettings(program.command("setup"))
    .description("make the table and the queues of the settings where they do not exist")
    .action(async (flags: SettingFlags) => {
      const { setUp } = await import("../setup.ts");
      await setUp(readConfig(flags).config);
    });
};
