import { readConfig } from "../../config.ts";
import type { AddCommand } from "../commands.ts";
import { type SettingFlags, withExamples, withSettings } from "../flags.ts";

export const addHealth: AddCommand = (program) => {
  const command = program
    .command("health")
    .description("whether the process with these settings is ready: 0 when it is (for container engines)");
  withSettings(command).action(async (flags: SettingFlags) => {
    const { askReady } = await import("../ask-ready.ts");
    await askReady(readConfig(flags).config);
  });
  withExamples(command, ["throughline health", "of a process on this machine with the same settings"]);
};
