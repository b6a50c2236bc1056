import { runtime } from "../../host/runtime.ts";
import { TaskError } from "../../words/errors.ts";
import type { AddCommand } from "../commands.ts";
import { withExamples } from "../flags.ts";

export const addInit: AddCommand = (program) => {
  const init = program
    .command("init")
    .description("make a folder to write handlers in: an example, its test, the types; nothing to install")
    .argument("[folder]", "where; made when it is not there", ".")
    .option("--types", "only write the types and the test kit anew, after an upgrade")
    .action(async (folder: string, { types }: { types?: boolean }) => {
      // Its files are put together by Bun, when it builds the executable or reads the source.
      if (runtime.name !== "bun") {
        throw new TaskError("invalid_argument", "throughline init needs Bun: run it by the executable, or by bun");
      }
      const { initialize, writeTypes } = await import("../init.ts");
      const lines = types ? writeTypes(folder) : initialize(folder);
      process.stdout.write(`${lines.join("\n")}\n`);
    });
  withExamples(init, ["throughline init my-tasks", "a new folder"], ["throughline init", "in this folder"]);
};
