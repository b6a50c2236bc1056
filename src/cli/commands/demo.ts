import type { AddCommand } from "../commands.ts";
import { type SettingFlags, withSettings } from "../flags.ts";

export const addDemo: AddCommand = (program, end) => {
  withSettings(program.command("demo"))
    .description("all roles on embedded parts in a temporary folder; submits ten tasks and shows their traces")
    .option("--once", "exit when the ten tasks have ended; 0 only if all ended as scripted")
    .action(async ({ once, ...flags }: SettingFlags & { once?: boolean }) => {
      const { runDemo } = await import("../demo.ts");
      end(await runDemo(flags, once ?? false));
    });
};
