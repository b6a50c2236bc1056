/** The log of `throughline dev` for people: how each task ended, what its handler logged, what was loaded. Pure. */

import { z } from "zod";
import { defaultRemoteUrl } from "../config.ts";
import { type Paint, styles, toPrintable } from "../terminal/style.ts";
import { formatDuration } from "../terminal/times.ts";

export interface DevShow {
  paint: Paint;
  /** Of the handlers: of a stack the places in it are shown. */
  folder: string;
}

const error = z.object({ type: z.string(), message: z.string(), stack: z.string().optional() });

const logLine = z.looseObject({
  level: z.string(),
  time: z.string(),
  module: z.string(),
  msg: z.string(),
  trace_id: z.string().optional(),
  task_type: z.string().optional(),
  attempt: z.number().optional(),
  elapsed_ms: z.number().optional(),
  retry_in_ms: z.number().optional(),
  reason: z.string().optional(),
  error: error.optional(),
});

type LogLine = z.infer<typeof logLine>;

const loaded = z.object({ changed: z.array(z.string()), added: z.array(z.string()), removed: z.array(z.string()) });
const refused = z.object({ problems: z.array(z.string()) });
const ready = z.object({ gateway_url: z.string() });

/** The fields of every log line; all others are those that a handler has added. */
const commonFields = new Set([
  ...Object.keys(logLine.shape),
  ...["severity_number", "service", "span_id", "trace_flags", "correlation_id", "task_id"],
]);

/** None for a line that does not matter while a handler is written. A line that is not JSON is returned as it is. */
export function toDevLines(text: string, show: DevShow): string[] {
  const line = readLine(text);
  if (!line) return [text.trimEnd()];
  const [first, ...more] = linesOf(line, show);
  if (first === undefined) return [];
  const time = show.paint(styles.dim, new Date(line.time).toTimeString().slice(0, 8));
  return [`${time} ${first}`, ...more.map((each) => `         ${each}`)];
}

function readLine(text: string): LogLine | undefined {
  try {
    return logLine.safeParse(JSON.parse(text)).data;
  } catch {
    return undefined;
  }
}

function linesOf(line: LogLine, show: DevShow): string[] {
  const { paint } = show;
  switch (line.msg) {
    case "task succeeded":
      return [`${paint(styles.bold, "✓")} ${nameOf(line, show)}  ${tookOf(line)}${traceOf(line, show)}`];
    case "attempt failed, another follows": {
      const delay = formatDuration(line.retry_in_ms ?? 0);
      return [
        `${paint(styles.red, "✗")} ${nameOf(line, show)}  failed, again in ${delay}${traceOf(line, show)}`,
        ...errorOf(line, show),
      ];
    }
    case "attempt failed, it was the last":
      return [
        `${paint(styles.red, "✗")} ${nameOf(line, show)}  failed, ${lastOf(line)}${traceOf(line, show)}`,
        ...errorOf(line, show),
      ];
    // The line before has it, with the handler's own stack.
    case "task is dead":
      return [];
    case "handlers loaded again":
      return [loadedOf(line, show)];
    case "handlers do not load, the ones before stay in force":
      return [paint(styles.red, `✗ ${line.msg}`), ...(refused.safeParse(line).data?.problems ?? []).map(toPrintable)];
    case "ready":
      return readyOf(line, show);
  }
  if (line.module === "handler") return [`· ${nameOf(line, show)}  ${toPrintable(line.msg)}${fieldsOf(line, show)}`];
  if (line.level === "error")
    return [paint(styles.red, `! ${toPrintable(line.msg)}${fieldsOf(line, show)}`), ...errorOf(line, show)];
  if (line.level === "warn") return [`! ${toPrintable(line.msg)}${fieldsOf(line, show)}`, ...errorOf(line, show)];
  return [];
}

function nameOf({ task_type: type = "", attempt = 1 }: LogLine, { paint }: DevShow): string {
  return paint(styles.bold, toPrintable(type)) + (attempt > 1 ? ` attempt ${attempt}` : "");
}

function tookOf({ elapsed_ms: ms }: LogLine): string {
  return ms === undefined ? "" : formatDuration(ms);
}

function traceOf({ trace_id: id }: LogLine, { paint }: DevShow): string {
  return id === undefined ? "" : `  ${paint(styles.dim, `trace ${id}`)}`;
}

function lastOf({ reason }: LogLine): string {
  return reason === "attempts_exhausted" ? "no attempt is left" : `no attempt can help (${reason ?? "dead"})`;
}

/** The message, and where in the handlers' folder it came from. */
function errorOf({ error: failure }: LogLine, { paint, folder }: DevShow): string[] {
  if (!failure) return [];
  const frames = (failure.stack ?? "").split("\n").filter((frame) => /^\s+at /.test(frame) && frame.includes(folder));
  return [
    paint(styles.red, toPrintable(`${failure.type}: ${failure.message}`)),
    ...frames.map((frame) => paint(styles.dim, `  ${toPrintable(frame.replaceAll(`${folder}/`, "")).trim()}`)),
  ];
}

function fieldsOf(line: LogLine, { paint }: DevShow): string {
  const fields = Object.entries(line).filter(([name]) => !commonFields.has(name));
  const texts = fields.map(([name, value]) =>
    toPrintable(`${name}=${typeof value === "string" ? value : JSON.stringify(value)}`),
  );
  return texts.length > 0 ? `  ${paint(styles.dim, texts.join(" "))}` : "";
}

function loadedOf(line: LogLine, { paint }: DevShow): string {
  const { changed = [], added = [], removed = [] } = loaded.safeParse(line).data ?? {};
  const types = [...added.map((type) => `+${type}`), ...removed.map((type) => `-${type}`)].join(" ");
  return `${paint(styles.bold, "↻")} ${line.msg}: ${toPrintable(`${changed.join(", ")}  ${types}`).trim()}`;
}

function readyOf(line: LogLine, { paint, folder }: DevShow): string[] {
  const { gateway_url: url = "" } = ready.safeParse(line).data ?? {};
  return [
    paint(styles.bold, `ready: ${url}`),
    `handlers in ${toPrintable(folder)}, loaded again whenever a file changes; Ctrl-C ends it`,
    // The default address was taken, or another one was set.
    ...(url === defaultRemoteUrl ? [] : [`in another terminal: export THROUGHLINE_URL=${url}`]),
  ];
}
