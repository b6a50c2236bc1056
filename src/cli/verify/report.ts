/** What a verification found, as JSON and for people. Pure. */

import { createPaint, styles } from "../../terminal/style.ts";
import { type Canvas, type Column, renderTable } from "../../terminal/table.ts";
import { formatDuration } from "../../terminal/times.ts";
import type { TaskStatus } from "../../words/task.ts";
import type { DroppedReport } from "./evidence.ts";
import { type ClockReport, type ContextFate, type HopName, type HopReport, hopToBlame } from "./hops.ts";

export interface VerifyReport {
  taskId: string;
  type: string;
  status: TaskStatus;
  traceId: string;
  /** It went all the way that it was sent. */
  isDone: boolean;
  /** From when it was submitted until it was seen to have ended; null: it was not. */
  tookMs: number | null;
  hops: readonly HopReport[];
  clocks: readonly ClockReport[];
  dropped: DroppedReport;
}

/** Every hop is known to have passed the context on, and the task went all its way. */
export function isGreen({ isDone, hops }: VerifyReport): boolean {
  return isDone && hopToBlame(hops) === undefined;
}

export function toVerifyJson(report: VerifyReport): object {
  const { taskId, type, status, traceId, tookMs, hops, clocks, dropped } = report;
  const blamed = hopToBlame(hops);
  return {
    ok: isGreen(report),
    task_id: taskId,
    type,
    status,
    trace_id: traceId,
    took_ms: roundMs(tookMs),
    blamed_hop: blamed?.hop ?? null,
    hops: hops.map((hop) => ({
      hop: hop.hop,
      from: hop.from,
      to: hop.to,
      context: hop.context,
      took_ms: roundMs(hop.tookMs),
      detail: hop.detail ?? null,
    })),
    clocks: clocks.map(({ service, aheadMs: [least, most], skewMs }) => ({
      service,
      skew_ms: roundMs(skewMs),
      ahead_ms: { at_least: roundMs(least), at_most: roundMs(most) },
    })),
    dropped: { counts: dropped.counts, unread: dropped.unread },
  };
}

/** Of no moment, or of one that was not seen: JSON has no infinity. */
function roundMs(ms: number | null): number | null {
  return ms === null || !Number.isFinite(ms) ? null : Math.round(ms * 1000) / 1000;
}

const fateStyles: Record<ContextFate, string | undefined> = {
  continued: styles.green,
  linked: styles.green,
  lost: styles.red,
  unseen: styles.yellow,
};

const columns: readonly Column<HopReport>[] = [
  { title: "hop", cell: ({ hop }) => hop.replace("_", " ") },
  { title: "from → to", cell: ({ from, to }) => `${from} → ${to}` },
  {
    title: "context",
    cell: ({ context }) => (context === "lost" ? "LOST" : context),
    style: ({ context }) => fateStyles[context],
  },
  { title: "took", cell: ({ tookMs }) => (tookMs === null ? "" : formatDuration(tookMs)), isFigure: true, spare: 1 },
];

export function renderVerify(report: VerifyReport, canvas: Canvas): string[] {
  const paint = createPaint(canvas.color);
  const { taskId, type, status, traceId, tookMs, hops } = report;
  const after = tookMs === null ? "" : ` after ${formatDuration(tookMs)}`;
  return [
    `${paint(styles.bold, `${type} ${status}${after}`)}: task ${taskId}, trace ${traceId}`,
    "",
    ...renderTable(columns, hops, canvas),
    "",
    `clocks     ${clockText(report.clocks)}`,
    `telemetry  ${droppedText(report.dropped)}`,
    "",
    ...conclude(report, (text) => paint(styles.bold, text)),
  ];
}

/** A smaller skew does not show in a waterfall. */
const noticedSkewMs = 1;

function clockText(clocks: readonly ClockReport[]): string {
  if (clocks.length === 0) return "nothing is known of them";
  const off = clocks.filter(({ skewMs }) => Math.abs(skewMs) >= noticedSkewMs);
  if (off.length === 0) return `${clocks.map(({ service }) => service).join(", ")} go with this machine's`;
  return off
    .map(({ service, skewMs }) => {
      const by = formatDuration(Math.abs(skewMs));
      return `${service} is at least ${by} ${skewMs > 0 ? "ahead of" : "behind"} this machine's`;
    })
    .join("; ");
}

function droppedText({ counts, unread }: DroppedReport): string {
  const total = counts.reduce((sum, { count }) => sum + count, 0);
  const losses = counts.map(({ at, reason, count }) => `${at} ${count}${reason && ` (${reason})`}`);
  const dropped = total === 0 ? "nothing was dropped" : `dropped since the start: ${losses.join(", ")}`;
  return unread.length === 0 ? dropped : `${dropped}; ${unread.join(", ")} did not answer`;
}

const attributesMend = "whatever stands between the two must let message attributes through, traceparent among them";

/** How to mend a hop that loses the context. */
const lostMends: Partial<Record<HopName, string>> = {
  http: "whatever stands before the gateway must let the header traceparent through",
  rpc: "whatever stands between the two must let the headers traceparent, tracestate and baggage through",
  queue: attributesMend,
  dead_letter: attributesMend,
  queue_again: attributesMend,
};
const mendLost = "no setting does this: please report it, with the output of --json";
const mendUnseen =
  "does that role send its telemetry to this console, or to the Jaeger that it asks? see OTEL_EXPORTER_OTLP_ENDPOINT, and what was dropped";

function conclude(report: VerifyReport, strong: (text: string) => string): string[] {
  const { hops, isDone, status, type } = report;
  const blamed = hopToBlame(hops);
  if (!blamed && isDone) return [strong("every hop passed the trace context on")];
  if (!blamed) return [strong(`every hop passed the trace context on, but ${type} is ${status}`)];
  const between = `between ${blamed.from} and ${blamed.to}`;
  const isLost = blamed.context === "lost";
  const what = isLost
    ? `the trace context is lost ${between}`
    : `nothing proves that the trace context came ${between}`;
  const lines = [`${what}: ${blamed.detail ?? ""}`, `→ ${isLost ? (lostMends[blamed.hop] ?? mendLost) : mendUnseen}`];
  const unfinished = isDone
    ? []
    : [`the probe is ${status}: is there a worker, and is it well? throughline doctor says more`];
  return [strong(lines[0] ?? ""), ...lines.slice(1), ...unfinished];
}
