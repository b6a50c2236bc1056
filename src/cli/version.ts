/** `throughline version`. */

import { productVersion } from "../version.ts";
import { type AddCommand, withExamples } from "./flags.ts";

export const addVersion: AddCommand = (program) => {
  const command = program
    .command("version")
    .description("the version")
    .action(() => {
      process.stdout.write(`${productVersion}\n`);
    });
  withExamples(command, ["throughline version", "nothing else on the line"]);
};
