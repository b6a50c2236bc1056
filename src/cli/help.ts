/** How help looks, and `throughline help task submit` as another way to say `throughline task submit --help`. */

import type { Command, HelpConfiguration } from "commander";
import { createPaint, styles } from "../terminal/style.ts";
import { commandWords } from "./usage.ts";

/** Commander takes the colour out where there is none. */
const paint = createPaint(true);

export const helpStyle: HelpConfiguration = {
  styleTitle: (title) => paint(styles.bold, title),
  // "[options]" behind every command says nothing.
  subcommandTerm: (command) => {
    const words = command.registeredArguments.map((argument) => {
      const name = argument.name() + (argument.variadic ? "..." : "");
      return argument.required ? `<${name}>` : `[${name}]`;
    });
    return [command.name(), ...words].join(" ");
  },
  showGlobalOptions: false,
};

/** `help task submit` becomes `task submit --help`; a word that is no command stays, to be refused as one. */
export function withHelpFlag(program: Command, args: readonly string[]): string[] {
  const [first, ...words] = args;
  if (first !== "help" || words.length === 0) return [...args];
  const named = commandWords(program, words).map((command) => command.name());
  const isLeaf = commandWords(program, words).at(-1)?.commands.length === 0;
  return named.length === words.length || isLeaf ? [...named, "--help"] : words;
}
