import { productVersion } from "../../version.ts";
import type { AddCommand } from "../commands.ts";

export const addVersion: AddCommand = (program) => {
  program
    .command("version")
    .description("the version")
    .action(() => {
      process.stdout.write(`${productVersion}\n`);
    });
};
