import { readConfig } from "../../config.ts";
import type { AddCommand } from "../commands.ts";
import { type SettingFlags, withExamples, withSettings } from "../flags.ts";

interface BackupFlags extends SettingFlags {
  force?: true;
}

export const addBackup: AddCommand = (program, end) => {
  const command = program
    .command("backup")
    .argument("<file>", "where the copy is written")
    .description("copy the database with every task, also while the system runs")
    .option("--force", "replace the file when it exists");
  withSettings(command).action(async (file: string, { force, ...flags }: BackupFlags) => {
    const { backUp } = await import("../backup.ts");
    end(await backUp(readConfig(flags).config, { file, mayReplace: force === true }));
  });
  withExamples(
    command,
    ["throughline backup /backups/throughline.db", "a copy of what was accepted until now"],
    ["throughline backup --data-dir=/data --force /backups/latest.db", "of another data folder, again and again"],
  );
};
