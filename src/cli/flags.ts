/**
 * What commands are declared with: the flags that several have, examples, and how a flag's value is read. Every start of
 * the program loads it, so it imports nothing heavy. A reader of a value throws commander's error, which says what is
 * allowed.
 */

import { readFileSync } from "node:fs";
import { type Command, InvalidArgumentError } from "commander";
import { defaultRemoteUrl, fallbackOf, flagOf, meaningOf, type SettingName, settingNames } from "../config.ts";
import { httpUrl, integer, type Parse, parseDuration } from "../settings/parsers.ts";
import { TaskError } from "../words/errors.ts";
import { JsonText } from "../words/json-text.ts";
import { parseTime } from "../words/time-text.ts";

/** Sets the exit code of the program; without a call it is 0. */
export type End = (exitCode: number) => void;

/** Adds a command, or a group of commands, to the program. */
export type AddCommand = (program: Command, end: End) => void;

/** Headings of the help. */
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

/** For a flag of commander, whose own words come before these. */
function asArgument<T>(parse: Parse<T>): Parse<T> {
  return (text) => {
    try {
      return parse(text);
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      throw new InvalidArgumentError(`${reason.charAt(0).toUpperCase()}${reason.slice(1)}.`);
    }
  };
}

/** Checked, and left as it is: the API reads the same notation. */
export const durationText = asArgument((text) => {
  parseDuration(text);
  return text;
});

/** In milliseconds. */
export const durationMs = asArgument(parseDuration);

export function wholeNumber(min: number, max: number): Parse<number> {
  return asArgument(integer(min, max));
}

/** Above 0, such as `0.5`. */
export const rate = asArgument((text) => {
  const value = Number(text);
  if (!/^\d+(\.\d+)?$/.test(text) || value <= 0) throw new Error("expected a number above 0");
  return value;
});

/** Checked, and left as it is: the API reads the same notation. */
export const timeText = asArgument((text) => {
  parseTime(text);
  return text;
});

/** A time, or how long ago it was; checked, and read by `toMoment` when the request is made. */
export const momentText = asArgument((text) => {
  toMoment(text);
  return text;
});

/** In RFC 3339. */
export function toMoment(text: string): string {
  return new Date(/^\d{4}-/.test(text) ? parseTime(text) : Date.now() - parseDuration(text)).toISOString();
}

/** A URL without a slash at its end, gathered. */
export function httpAddress(text: string, before: string[] = []): string[] {
  return [...before, asArgument(httpUrl)(text)];
}

/** `name=value`, gathered. */
export function pair(text: string, before: Record<string, string> = {}): Record<string, string> {
  const at = text.indexOf("=");
  if (at < 1) throw new InvalidArgumentError("Expected name=value.");
  return { ...before, [text.slice(0, at)]: text.slice(at + 1) };
}

/** A JSON text; or `@file`, or `-` for what comes on stdin, which are read later. */
export function payloadText(text: string): string {
  if (text !== "-" && !text.startsWith("@")) parsePayload(text);
  return text;
}

/** JSON text, which is sent with the caller's own characters. Throws when it is not JSON. */
function parsePayload(text: string): JsonText {
  parseJson(text);
  return new JsonText(text);
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new InvalidArgumentError(`It is not JSON (${why}). In a shell, quote it: '{"n":1}', or '"a text"'.`);
  }
}

/** The JSON itself, or what the file or stdin has. Throws `invalid_argument` with the reason. */
export function readPayload(text: string): unknown {
  const file = text === "-" ? 0 : text.startsWith("@") ? text.slice(1) : undefined;
  try {
    return parsePayload(file === undefined ? text : readText(file));
  } catch (cause) {
    if (cause instanceof InvalidArgumentError) {
      throw new TaskError("invalid_argument", `payload "${text}": ${cause.message}`, { cause });
    }
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new TaskError("invalid_argument", `payload "${text}" could not be read: ${why}`, { cause });
  }
}

/** Editors of another world begin a file with a byte order mark, which is no JSON. */
function readText(file: string | number): string {
  return readFileSync(file, "utf8").replace(/^\uFEFF/, "");
}
