/** `throughline trace`: a task's traces as one, or any one trace, as the console has them. */

import { defaultConsoleUrl } from "../config.ts";
import { printResult } from "../terminal/screen.ts";
import { TaskError } from "../words/errors.ts";
import { canonicalId } from "../words/task-id.ts";
import { askConsole } from "./api-client.ts";
import { exitCodes } from "./exit.ts";
import { type AddCommand, withExamples } from "./flags.ts";

export const addTrace: AddCommand = (program, end) => {
  const command = program
    .command("trace")
    .description("all traces of a task as one waterfall, with its waits and its log lines; or any one trace")
    .argument("<id>", "of a task, or of a trace")
    .option("--console-url <url>", `where the console is (THROUGHLINE_CONSOLE_URL, ${defaultConsoleUrl})`)
    .option("--json", "the console's own JSON on stdout, and nothing else there")
    .action(async (id: string, flags: TraceFlags) => end(await showTrace(id, flags)));
  withExamples(
    command,
    ["throughline trace 01a1fdf4-cd76-7699-a1ab-314869020050", "a task, from its request to its last redrive"],
    ["throughline trace 4bf92f3577b34da6a3ce929d0e0e4736 --json > trace.json", "OTLP, for other tools"],
  );
};

interface TraceFlags {
  consoleUrl?: string;
  json?: boolean;
}

/** Of lines that are not for a terminal. */
const pipedWidth = 160;

const traceIdText = /^[0-9a-f]{32}$/i;
const taskIdText = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

async function showTrace(id: string, flags: TraceFlags): Promise<number> {
  const isTrace = traceIdText.test(id);
  const taskId = canonicalId(id);
  if (!isTrace && !taskIdText.test(taskId)) {
    throw new TaskError(
      "invalid_argument",
      `"${id}" is no id: expected a task's, such as 01a1fdf4-cd76-7699-a1ab-314869020050, or a trace's, 32 hex digits`,
    );
  }
  const path = isTrace ? `/traces/${id.toLowerCase()}` : `/tasks/${taskId}/trace`;
  const text = await askConsole(path, flags.consoleUrl);
  const { renderTrace, renderTaskTrace } = await import("./print/trace.ts");
  const render = isTrace ? renderTrace : renderTaskTrace;
  printResult(flags, {
    json: text,
    ids: [id],
    forPeople: ({ canvas: { width = pipedWidth, color } }) => render(text, { width, color }),
  });
  return exitCodes.done;
}
