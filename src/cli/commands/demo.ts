import type { AddCommand } from "../commands.ts";
import { type SettingFlags, withExamples, withSettings } from "../flags.ts";

export const addDemo: AddCommand = (program, end) => {
  const command = program
    .command("demo")
    .description("all roles on embedded parts in a temporary folder; submits ten tasks and shows their traces")
    .option("--once", "exit when the ten tasks have ended; 0 only if all ended as scripted");
  withSettings(command).action(async ({ once, ...flags }: SettingFlags & { once?: boolean }) => {
    const { runDemo } = await import("../demo.ts");
    end(await runDemo(flags, once ?? false));
  });
  withExamples(
    command,
    ["throughline demo", "look around, then Ctrl-C"],
    ["throughline demo --once", "whether it works on this machine"],
  );
};
