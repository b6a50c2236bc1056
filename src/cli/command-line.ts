/**
 * The words of a command line, read by commander, and all problems of a wrong one reported at once. Commander stops at the
 * first problem, so the word that it refused is left out and the rest is read again, until nothing is refused. No action
 * runs meanwhile.
 */

import { type Command, CommanderError } from "commander";
import { ConfigError, readConfig } from "../config.ts";
import { runtime } from "../host/runtime.ts";
import { completeWords } from "./completion.ts";
import { endOutput, exitCodes, explain, logLimitMs, outputFailure } from "./exit.ts";
import { isSettings } from "./flags.ts";
import { createProgram } from "./program.ts";

/** Runs the command that `args` name. Gives the exit code: 0, 1, 2 or 70. */
export async function runCommandLine(args: readonly string[]): Promise<number> {
  let exitCode: number = exitCodes.done;
  const create = (): Command =>
    createProgram((code) => {
      exitCode = code;
    });
  const failure = outputFailure();
  const words = withHelpFlag(create(), withCommand(args));
  try {
    // The scripts of `throughline completion` call it; the help does not list it.
    if (args[0] === "complete") await completeWords(create(), args.slice(2));
    else await runUsage(create, words);
  } catch (error) {
    exitCode = explain(error);
  }
  const lost = await Promise.race([failure, endOutput(words[0] === "serve" ? logLimitMs : undefined)]);
  return lost === undefined || isReaderGone(lost) ? exitCode : exitCodes.failed;
}

/** As in `throughline task list | head -1`, which is no failure. */
function isReaderGone(error: Error): boolean {
  return "code" in error && error.code === "EPIPE";
}

/** Flags alone are those of `serve`. A first word is always read as a command's name, so that a wrong one is refused. */
function withCommand(args: readonly string[]): string[] {
  const [first] = args;
  const isServe = first === undefined || (first.startsWith("-") && first !== "-h" && first !== "--help");
  return isServe ? ["serve", ...args] : [...args];
}

/** Runs the action that `args` ask for. Rejects with `ConfigError` when they are wrong, and with what the action rejects with. */
export async function runUsage(create: () => Command, args: readonly string[]): Promise<void> {
  const problems: string[] = [];
  for (let rest: string[] | undefined = [...args]; rest; ) {
    const program = create().hook("preAction", () => {
      if (problems.length > 0) throw wrongUsage(problems, args, program);
    });
    try {
      await program.parseAsync(rest, { from: "user" });
      return;
    } catch (error) {
      if (!(error instanceof CommanderError) || error.exitCode === 0 || error.code === "commander.help") throw error;
      // What an unknown flag may have been given as its value now stands among the arguments.
      const isAboutArguments = /argument(s|Argument)?$/i.test(error.code) && !/^error: option/.test(error.message);
      if (!isAboutArguments || !problems.some((problem) => problem.startsWith("unknown option"))) {
        problems.push(toProblem(error));
      }
      rest = withoutRefused(rest, error.message);
      if (!rest) throw wrongUsage(problems, args, program);
    }
  }
}

function settingProblems(command: Command | undefined): string[] {
  if (!command || !isSettings(command)) return [];
  try {
    readConfig(command.opts());
    return [];
  } catch (error) {
    if (error instanceof ConfigError) return error.problems;
    throw error;
  }
}

function wrongUsage(problems: readonly string[], args: readonly string[], program: Command): ConfigError {
  const named = commandWords(program, args);
  const words = ["throughline help", ...named.map((command) => command.name())];
  return new ConfigError([
    ...problems,
    ...settingProblems(named.at(-1)),
    ...scriptHint(args),
    `\`${words.join(" ")}\` shows what there is`,
  ]);
}

/** A handler or library that starts `process.execPath` with a script takes this program for a runtime. */
function scriptHint(args: readonly string[]): string[] {
  const script = args.find((arg) => /\.[cm]?[jt]sx?$/.test(arg));
  if (script === undefined || !runtime.isCompiled) return [];
  return [`"${script}" runs by the Bun in this executable with BUN_BE_BUN=1 in the environment`];
}

/** The commands that the words at the beginning name, from the outermost on. */
function commandWords(program: Command, words: readonly string[]): Command[] {
  const [word, ...rest] = words;
  const found = program.commands.find((command) => command.name() === word || command.aliases().includes(word ?? ""));
  return found ? [found, ...commandWords(found, rest)] : [];
}

/** Commander's words, in one line. */
function toProblem({ message }: CommanderError): string {
  const [first = "", ...more] = message.replace(/^error: /, "").split("\n");
  return [first, ...more.map((line) => line.replace("(Did", "(did"))].join(" ");
}

/** The words without the flag that commander refused, or with one that it missed; undefined when that is not known. */
function withoutRefused(args: readonly string[], message: string): string[] | undefined {
  const unknown = /^error: unknown option '(.+?)'/s.exec(message)?.[1];
  if (unknown !== undefined) return args.includes(unknown) ? args.filter((arg) => arg !== unknown) : undefined;
  const missed = /^error: required option '.*?(--[\w-]+)/.exec(message)?.[1];
  if (missed !== undefined) return [...args, `${missed}=-`];
  const invalid = /^error: option '(.+?)' argument '(.*?)' is invalid/s.exec(message);
  const alone = /^error: option '(.+?)' (?:cannot be used with|argument missing)/.exec(message)?.[1];
  const flags = (invalid?.[1] ?? alone)?.match(/(?<=^|[ ,])--?[\w-]+/g);
  const at = args.findIndex((arg) => flags?.some((flag) => isFlag(arg, flag, invalid?.[2])));
  if (at < 0) return undefined;
  return args.toSpliced(at, invalid && args[at + 1] === invalid[2] && !args[at]?.includes("=") ? 2 : 1);
}

function isFlag(arg: string, flag: string, value: string | undefined): boolean {
  return arg === flag || arg === `${flag}=${value}` || (!flag.startsWith("--") && arg === `${flag}${value}`);
}

/** `help task submit` becomes `task submit --help`; a word that is no command stays, to be refused as one. */
export function withHelpFlag(program: Command, args: readonly string[]): string[] {
  const [first, ...words] = args;
  if (first !== "help" || words.length === 0) return [...args];
  const named = commandWords(program, words).map((command) => command.name());
  const isLeaf = commandWords(program, words).at(-1)?.commands.length === 0;
  return named.length === words.length || isLeaf ? [...named, "--help"] : words;
}
