import { readConfig } from "../../config.ts";
import type { AddCommand } from "../commands.ts";
import { type SettingFlags, withExamples, withSettings } from "../flags.ts";

export const addSetup: AddCommand = (program) => {
  const command = program
    .command("setup")
    .description("make the table and the queues of the settings where they do not exist");
  withSettings(command).action(async (flags: SettingFlags) => {
    const { setUp } = await import("../setup.ts");
    await setUp(readConfig(flags).config);
  });
  withExamples(
    command,
    ["throughline setup", "of these settings: nothing, they need nothing made"],
    ["throughline setup --store=dynamodb --queue=sqs", "a table and two queues"],
  );
};
