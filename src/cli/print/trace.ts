/** What the console answers about traces, read and drawn. Heavy: it reads OTLP. */

import { logsOfView, spansOfView, type TaskTraceView } from "../../console/task-trace-view.ts";
import { decodeLogs } from "../../otlp/log.ts";
import { decodeSpans, type ReceivedSpan } from "../../otlp/span.ts";
import { renderWaterfall } from "../../terminal/waterfall.ts";

interface Lines {
  width: number;
  color: boolean;
}

/** `text` is OTLP in JSON. */
export function renderTrace(text: string, lines: Lines): string[] {
  return renderWaterfall(spansOfTrace(text), { ...lines, logs: decodeLogs(toBody(text)) });
}

export function spansOfTrace(text: string): ReceivedSpan[] {
  return decodeSpans(toBody(text));
}

/** `text` is a task's traces as the console joins them. */
export function renderTaskTrace(text: string, lines: Lines): string[] {
  const view = toView(text);
  return renderWaterfall(spansOfView(view), { ...lines, logs: logsOfView(view), title: `task ${view.task_id}` });
}

export function spansOfTaskTrace(text: string): ReceivedSpan[] {
  return spansOfView(toView(text));
}

function toBody(text: string): { encoding: "json"; bytes: Uint8Array<ArrayBuffer> } {
  return { encoding: "json", bytes: new TextEncoder().encode(text) };
}

function toView(text: string): TaskTraceView {
  // The border: the console is of this same program.
  return JSON.parse(text) as TaskTraceView;
}
