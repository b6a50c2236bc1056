import { defaultConsoleUrl } from "../../config.ts";
import type { AddCommand } from "../commands.ts";
import { withExamples } from "../flags.ts";
import type { TraceFlags } from "../trace.ts";

export const addTrace: AddCommand = (program, end) => {
  const command = program
    .command("trace")
    .description("all traces of a task as one waterfall, with its waits and its log lines; or any one trace")
    .argument("<id>", "of a task, or of a trace")
    .option("--console-url <url>", `where the console is (THROUGHLINE_CONSOLE_URL, ${defaultConsoleUrl})`)
    .option("--json", "the console's own JSON on stdout, and nothing else there")
    .action(async (id: string, flags: TraceFlags) => {
      const { showTrace } = await import("../trace.ts");
      end(await showTrace(id, flags));
    });
  withExamples(
    command,
    ["throughline trace 01a1fdf4-cd76-7699-a1ab-314869020050", "a task, from its request to its last redrive"],
    ["throughline trace 4bf92f3577b34da6a3ce929d0e0e4736 --json > trace.json", "OTLP, for other tools"],
  );
};
