import { readConfig } from "../../config.ts";
import type { AddCommand } from "../commands.ts";
import { type SettingFlags, withSettings } from "../flags.ts";

export const addServe: AddCommand = (program, end) => {
  withSettings(program.command("serve"))
    .description("run roles until a signal (also with no command)")
    .action(async (flags: SettingFlags) => {
      const { serve } = await import("../serve.ts");
      end(await serve(readConfig(flags).config));
    });
};
