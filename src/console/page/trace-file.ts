/**
 * A trace that somebody drops on the page: OTLP as JSON (one object, a list of them, or one a line as the Collector's
 * file exporter writes them), or what Jaeger gives ("JSON" of its page and its API). Pure; bounded; throws `Error` with
 * what is wrong with the file.
 */

import type { ReceivedLog } from "../../otlp/log.ts";
import type { ReceivedSpan } from "../../otlp/span.ts";
import { fromJaeger, isJaeger } from "./jaeger-json.ts";
import { isRecord, listOf } from "./json-value.ts";
import { logsOfOtlp, spansOfOtlp } from "./otlp-file.ts";

export interface TraceFile {
  /** In the order in which they begin. */
  traces: FileTrace[];
  /** Spans beyond what is read. */
  left: number;
}

export interface FileTrace {
  traceId: string;
  spans: ReceivedSpan[];
  logs: ReceivedLog[];
}

export const maxFileBytes = 32 * 1024 * 1024;
const maxSpans = 20_000;

export function parseTraceFile(text: string): TraceFile {
  if (text.length > maxFileBytes) throw new Error("the file is larger than 32 MB");
  const parts = partsOf(text);
  const spans = parts.flatMap((part) => (isJaeger(part) ? fromJaeger(part) : spansOfOtlp(part)));
  const logs = parts.flatMap((part) => (isJaeger(part) ? [] : logsOfOtlp(part)));
  const whole = spans.filter(({ traceId, spanId }) => traceId !== "" && spanId !== "");
  if (whole.length === 0)
    throw new Error('no spans are in it: expected OTLP JSON ("resourceSpans") or Jaeger\'s ("data")');
  const kept = whole.slice(0, maxSpans);
  const groups = [...Map.groupBy(kept, ({ traceId }) => traceId)];
  const traces = groups.map(([traceId, own]) => ({
    traceId,
    spans: own,
    logs: logs.filter((log) => log.traceId === traceId).slice(0, maxSpans),
  }));
  return { traces: traces.sort((a, b) => startOf(a) - startOf(b)), left: whole.length - kept.length };
}

function startOf({ spans }: FileTrace): number {
  return spans.reduce((earliest, { startMs }) => Math.min(earliest, startMs), Number.POSITIVE_INFINITY);
}

/** The objects of the file, each of which holds spans in one of the two forms. */
function partsOf(text: string): Record<string, unknown>[] {
  try {
    const value: unknown = JSON.parse(text);
    return (Array.isArray(value) ? value : [value]).filter(isRecord);
  } catch (error) {
    const lines = text.split("\n").filter((line) => line.trim() !== "");
    if (lines.length < 2) throw new Error(`it is no JSON: ${error instanceof Error ? error.message : String(error)}`);
    return lines.map((line, index) => {
      try {
        return listOf([JSON.parse(line)]).filter(isRecord)[0] ?? {};
      } catch {
        throw new Error(`its line ${index + 1} is no JSON`);
      }
    });
  }
}
