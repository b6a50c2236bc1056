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
      end(await runTests(folder, args));
    });
  withExamples(
    test,
    ["throughline test", "all tests in this folder"],
    ["throughline test my-tasks -- --watch", "again whenever a file changes"],
  );
};
