import { readConfig } from "../../config.ts";
import type { AddCommand } from "../commands.ts";
import { type SettingFlags, withExamples, withSettings } from "../flags.ts";

export const addServe: AddCommand = (program, end) => {
  const command = program.command("serve").description("run roles until a signal (also with no command)");
  withSettings(command).action(async (flags: SettingFlags) => {
    const { serve } = await import("../serve.ts");
    end(await serve(readConfig(flags).config));
  });
  withExamples(
    command,
    ["throughline serve", "all roles, on this machine"],
    ["throughline --gateway-listen=127.0.0.1:9000 --handlers=./handlers", "flags alone are those of serve"],
    ["throughline --role=worker --queue=sqs", "one role, beside others in processes of their own"],
  );
};
