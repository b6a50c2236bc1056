/** `throughline trace`: a task's traces as one, or any one trace, as the console has them. */

import { logsOfView, spansOfView, type TaskTraceView } from "../console/task-trace-view.ts";
import { decodeLogs, type ReceivedLog } from "../otlp/log.ts";
import { decodeSpans, type ReceivedSpan } from "../otlp/span.ts";
import { printResult } from "../terminal/screen.ts";
import { renderWaterfall } from "../terminal/waterfall.ts";
import { TaskError } from "../words/errors.ts";
import { canonicalId } from "../words/task-id.ts";
import { askConsole } from "./console-client.ts";
import { exitCodes } from "./exit-codes.ts";

export interface TraceFlags {
  consoleUrl?: string;
  json?: boolean;
}

/** Of lines that do not end at a terminal's edge. */
const pipedWidth = 160;

const traceIdText = /^[0-9a-f]{32}$/i;
const taskIdText = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

interface Shown {
  spans: ReceivedSpan[];
  logs: ReceivedLog[];
  title?: string;
}

export async function showTrace(id: string, flags: TraceFlags): Promise<number> {
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
  printResult(flags, {
    json: text,
    ids: [id],
    forPeople: ({ canvas: { width = pipedWidth, color } }) => {
      const { spans, logs, ...title } = isTrace ? readTrace(text) : readTask(text);
      return renderWaterfall(spans, { width, color, logs, ...title });
    },
  });
  return exitCodes.done;
}

function readTrace(text: string): Shown {
  const body = { encoding: "json", bytes: new TextEncoder().encode(text) } as const;
  return { spans: decodeSpans(body), logs: decodeLogs(body) };
}

function readTask(text: string): Shown {
  // Of the console of this same program.
  const view = JSON.parse(text) as TaskTraceView;
  return { spans: spansOfView(view), logs: logsOfView(view), title: `task ${view.task_id}` };
}
