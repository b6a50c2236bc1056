/** How much telemetry was lost on its way: what the console dropped, and what each process says of its own. */

import { serviceNames } from "../../telemetry/names.ts";
import { askConsole } from "../console-client.ts";

/** Spans and log records, since the start of who counts them. */
export interface DroppedCount {
  /** The console, or the service whose telemetry it was. */
  at: string;
  /** Why: `queue_full`, or what sending failed of; empty: not told. */
  reason: string;
  count: number;
}

export interface DroppedReport {
  counts: DroppedCount[];
  /** Addresses that did not answer. */
  unread: string[];
}

const limitMs = 5000;

/** Rejects with `TaskError` when the console does not answer; an admin address that does not is told. */
export async function readDropped(
  consoleUrl: string | undefined,
  adminUrls: readonly string[],
): Promise<DroppedReport> {
  const figures: { dropped: number } = JSON.parse(await askConsole("/traces?limit=1", consoleUrl));
  const counts: DroppedCount[] = [{ at: serviceNames.console, reason: "", count: figures.dropped }];
  const unread: string[] = [];
  await Promise.all(
    adminUrls.map(async (url) => {
      const text = await readMetrics(url);
      if (text === undefined) unread.push(url);
      else counts.push(...droppedIn(text));
    }),
  );
  // Where the console's process was asked it has told the same with its reasons.
  const isTold = counts.some(({ at, reason }) => at === serviceNames.console && reason !== "");
  const shown = counts.filter(
    ({ at, reason, count }) => count > 0 && !(isTold && at === serviceNames.console && reason === ""),
  );
  return { counts: shown, unread: unread.toSorted() };
}

async function readMetrics(url: string): Promise<string | undefined> {
  try {
    const answer = await fetch(`${url}/metrics`, { signal: AbortSignal.timeout(limitMs) });
    return answer.ok ? await answer.text() : undefined;
  } catch {
    return undefined;
  }
}

/** Of a scrape in Prometheus' text format: what processors were done with, and for which they give an error. Pure. */
export function droppedIn(metrics: string): DroppedCount[] {
  const series = /^otel_sdk_processor_(?:span|log)_processed_total\{(.*)\} (\S+)/gm;
  const counts = new Map<string, DroppedCount>();
  for (const [, labels = "", value] of metrics.matchAll(series)) {
    const reason = labelIn(labels, "error_type");
    if (reason === "") continue;
    const at = labelIn(labels, "service_name");
    const before = counts.get(`${at}/${reason}`)?.count ?? 0;
    counts.set(`${at}/${reason}`, { at, reason, count: before + Number(value) });
  }
  return [...counts.values()];
}

function labelIn(labels: string, name: string): string {
  return new RegExp(String.raw`(?:^|,)${name}="((?:[^"\\]|\\.)*)"`).exec(labels)?.[1] ?? "";
}
