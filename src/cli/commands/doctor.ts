import { readConfig } from "../../config.ts";
import type { AddCommand } from "../commands.ts";
import { type SettingFlags, withExamples, withSettings } from "../flags.ts";

export const addDoctor: AddCommand = (program, end) => {
  const command = program
    .command("doctor")
    .description("looks at everything that these settings need, and says what is wrong and how to mend it")
    .option("--json", "as JSON");
  withSettings(command).action(async ({ json, ...flags }: SettingFlags & { json?: boolean }) => {
    const { runDoctor } = await import("../doctor.ts");
    end(await runDoctor(readConfig(flags).config, json ?? false));
  });
  withExamples(
    command,
    ["throughline doctor", "before the start"],
    ["throughline doctor --queue=sqs --json", "for a script"],
  );
};
