import type { AddCommand } from "../commands.ts";
import { type SettingFlags, withExamples, withSettings } from "../flags.ts";

export const addDev: AddCommand = (program, end) => {
  const dev = withSettings(program.command("dev"))
    .description("run everything, and load the handlers again whenever one of their files changes")
    .action(async (flags: SettingFlags) => {
      const { runDev } = await import("../dev.ts");
      end(await runDev(flags));
    });
  withExamples(
    dev,
    ["throughline dev", "the handlers in ./handlers"],
    ["throughline dev --handlers my-tasks/handlers --log-level debug", "others, and also what they log as debug"],
  );
};
