/** Flags that several commands have: the server's settings, and where the HTTP API is. */

import type { Command } from "commander";
import { defaultRemoteUrl, fallbackOf, flagOf, meaningOf, type SettingName, settingNames } from "../config.ts";

export type SettingFlags = Partial<Record<SettingName, string>>;

/** Of commands that run a part of the server, or look at its settings. */
export function withSettings(command: Command): Command {
  for (const name of settingNames) {
    const fallback = fallbackOf(name);
    command.option(`${flagOf(name)} <value>`, fallback === "" ? meaningOf(name) : `${meaningOf(name)} (${fallback})`);
  }
  return command;
}

export interface ApiFlags {
  url?: string;
  json?: boolean;
}

export function isSettings(command: Command): boolean {
  return command.options.some((option) => option.long === flagOf("gatewayListen"));
}

/** Of commands that talk to a running system through its HTTP API. */
export function withApi(command: Command): Command {
  return command
    .optionsGroup("Options of all that talk to a system:")
    .option("--url <url>", `where the HTTP API is (THROUGHLINE_URL, ${defaultRemoteUrl})`)
    .option("--json", "the API's own JSON on stdout, and nothing else there")
    .optionsGroup("Options:");
}

/** Shown below a command's help: what is typed, and what it does. */
export function withExamples(
  command: Command,
  ...examples: readonly (readonly [line: string, does: string])[]
): Command {
  const lines = examples.flatMap(([line, does]) => [`  # ${does}`, `  ${line}`]);
  return command.addHelpText("after", `\nExamples:\n${lines.join("\n")}`);
}
