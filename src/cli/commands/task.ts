import type { AddCommand } from "../commands.ts";
import { type ApiFlags, withApi, withExamples } from "../flags.ts";

export const addTask: AddCommand = (program, end) => {
  const task = program.command("task").description("submit tasks and look at them");

  withExamples(
    withApi(
      task
        .command("get <id>")
        .description("one task: its state, its attempts, its result or error")
        .option("--wait", "until it has ended; exit code 1 unless it succeeded"),
    ),
    ["throughline task get 01a1fdf4-cd76-7699-a1ab-314869020050 --wait", "wait for its end"],
  ).action(async (id: string, flags: ApiFlags & { wait?: boolean }) => {
    const { getTask } = await import("../task/get.ts");
    end(await getTask(id, flags));
  });
};
