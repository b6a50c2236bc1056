import type { AddCommand } from "../commands.ts";
import { withExamples } from "../flags.ts";

export const addTest: AddCommand = (program, end) => {
  const test = program
    .command("test")
    .description("run the tests of a handlers folder, with nothing installed")
    .argument("[folder]", "where they are", ".")
    .argument("[args...]", "after --: for the runner, which is bun test")
    .action(async (folder: string, args: string[]) => {
      const { runTests } = await import("../run-tests.ts");
      // What follows -- is for the runner, also when no folder goes before it.
      const words = folder.startsWith("-") ? [".", folder, ...args] : [folder, ...args];
      end(await runTests(words));
    });
  withExamples(
    test,
    ["throughline test", "all tests in this folder"],
    ["throughline test my-tasks -- --watch", "those in another, again whenever a file changes"],
  );
};
