import { readConfig } from "../../config.ts";
import type { AddCommand } from "../commands.ts";
import { type SettingFlags, withSettings } from "../flags.ts";

export const addHealth: AddCommand = (program) => {
  withSettings(program.command("health"))
    .description("whether the process with these settings is ready: 0 when it is (for container engines)")
    .action(async (flags: SettingFlags) => {
      const { askReady } = await import("../ask-ready.ts");
      await askReady(readConfig(flags).config);
    });
};
