/** Flags that several commands have: the server's settings, and where the HTTP API is. */

import type { Command } from "commander";
import { defaultRemoteUrl, fallbackOf, flagOf, meaningOf, type SettingName, settingNames } from "../config.ts";

/** Headings of the help, and what belongs to no command in particular. */
export const settingsGroup = "Settings:";
export const apiGroup = "Options of all that talk to a system:";

export type SettingFlags = Partial<Record<SettingName, string>>;

/** Of commands that run a part of the server, or look at its settings. */
export function withSettings(command: Command): Command {
  command.optionsGroup(settingsGroup);
  for (const name of settingNames) {
    const fallback = fallbackOf(name);
    command.option(`${flagOf(name)} <value>`, fallback === "" ? meaningOf(name) : `${meaningOf(name)} (${fallback})`);
  }
  return command.optionsGroup("Options:");
}

export interface ApiFlags {
  url?: string;
  json?: boolean;
}

export function isSettings(command: Command): boolean {
  return command.options.some(({ helpGroupHeading }) => helpGroupHeading === settingsGroup);
}

export function isApi(command: Command): boolean {
  return command.options.some(({ helpGroupHeading }) => helpGroupHeading === apiGroup);
}

/** Of commands that talk to a running system through its HTTP API. */
export function withApi(command: Command): Command {
  return command
    .optionsGroup(apiGroup)
    .option("--url <url>", `where the HTTP API is (THROUGHLINE_URL, ${defaultRemoteUrl})`)
    .option("--json", "the API's own JSON on stdout, and nothing else there")
    .optionsGroup("Options:");
}

/** What is typed, and what it does. */
export type Example = readonly [line: string, does: string];

const examplesByCommand = new WeakMap<Command, readonly Example[]>();

/** Those that were declared, for docs/cli.md and its test. */
export function examplesOf(command: Command): readonly Example[] {
  return examplesByCommand.get(command) ?? [];
}

/** Shown below a command's help, and in docs/cli.md. */
export function withExamples(command: Command, ...examples: readonly Example[]): Command {
  examplesByCommand.set(command, examples);
  const lines = examples.flatMap(([line, does]) => [`  # ${does}`, `  ${line}`]);
  return command.addHelpText("after", `\nExamples:\n${lines.join("\n")}`);
}
