/**
 * Traces as a Jaeger has them (versions 1 and 2), by the JSON that its own page reads (`/api/traces`): the newer query API
 * (v3) does not search by attributes in version 1. Owns nothing. Promises that no question hangs, and that no answer
 * fills the memory. Jaeger's model has no links: a link is a reference that follows from another span, and loses its
 * attributes; the other fields of OTLP that it lacks are tags there.
 */

import { z } from "zod";
import { readWithin } from "../http/body.ts";
import type { Clock } from "../limits/clock.ts";
import type { ReceivedSpan, SpanKind, SpanStatus } from "../otlp/span.ts";
import type { Attributes } from "../otlp/values.ts";
import { ownKey } from "../telemetry/names.ts";
import { TaskError, toFailure } from "../words/errors.ts";
import { createdAtMsOf, isTaskId } from "../words/task-id.ts";
import { fits, summarize, toHead } from "./span-head.ts";
import type { TraceFilter, TraceSearch, TraceStore } from "./trace-search.ts";

interface JaegerOptions {
  /** Without a slash at its end. */
  url: string;
  clock: Clock;
  /** How far back a search goes that does not say since when. */
  lookbackMs: number;
}

const answerLimitMs = 15_000;
const maxAnswerBytes = 64 * 1024 * 1024;
/** A search names one service; without one all are searched, so many at once. */
const maxServices = 64;
const servicesAtOnce = 8;
/** Of one task, in one service. */
const maxTaskTraces = 200;
/** Clocks differ. */
const slackMs = 3_600_000;

export function createJaegerTraces({ url, clock, lookbackMs }: JaegerOptions): TraceStore {
  /** Of every service, unless the filter names one. */
  const find = async (filter: TraceFilter, sinceMs: number): Promise<{ found: ReceivedSpan[][]; isAll: boolean }> => {
    const services = filter.service === undefined ? await fetchServices(url) : [filter.service];
    const searched = services.slice(0, maxServices);
    const byTrace = new Map<string, ReceivedSpan[]>();
    let isAll = searched.length === services.length;
    for (let first = 0; first < searched.length; first += servicesAtOnce) {
      const answers = await Promise.all(
        searched.slice(first, first + servicesAtOnce).map((service) => {
          const query = toQuery({ ...filter, service, sinceMs }, clock.nowMs() + slackMs);
          return fetchTraces(`${url}/api/traces?${query}`);
        }),
      );
      for (const traces of answers) {
        if (traces.length >= filter.limit) isAll = false;
        for (const spans of traces) if (spans[0]) byTrace.set(spans[0].traceId, spans);
      }
    }
    return { found: [...byTrace.values()], isAll };
  };

  const sinceOf = ({ taskId, sinceMs }: TraceFilter): number => {
    if (sinceMs !== undefined) return sinceMs;
    // The id holds the time of creation, and no span of the task is older.
    const isDated = taskId !== undefined && isTaskId(taskId);
    return isDated ? createdAtMsOf(taskId) - slackMs : clock.nowMs() - lookbackMs;
  };

  return {
    search: async (filter): Promise<TraceSearch> => {
      const { found, isAll } = await find(filter, sinceOf(filter));
      const traces = found
        .map((spans) => spans.map(toHead))
        .filter((spans) => spans.some((span) => fits(span, filter)))
        .flatMap((spans) => summarize(spans) ?? [])
        .sort((a, b) => b.startMs - a.startMs);
      return { traces: traces.slice(0, filter.limit), isComplete: isAll || traces.length >= filter.limit };
    },
    spansOf: async (traceId) => (await fetchTraces(`${url}/api/traces/${traceId}`)).flat(),
    traceIdsOf: async (taskId) => {
      const filter = { taskId, limit: maxTaskTraces };
      const { found } = await find(filter, sinceOf(filter));
      return found.flatMap((spans) => spans[0]?.traceId ?? []);
    },
  };
}

/** Times are microseconds there. Jaeger has no query for spans without an error: those are filtered afterwards. */
function toQuery(filter: TraceFilter & { service: string; sinceMs: number }, untilMs: number): URLSearchParams {
  const { service, operation, taskId, isError, minDurationMs, attribute, sinceMs, limit } = filter;
  const tags = {
    ...(attribute && { [attribute.key]: attribute.value }),
    ...(taskId !== undefined && { [ownKey.taskId]: taskId }),
    ...(isError === true && { error: "true" }),
  };
  return new URLSearchParams({
    service,
    ...(operation !== undefined && { operation }),
    ...(minDurationMs !== undefined && { minDuration: `${minDurationMs}ms` }),
    ...(Object.keys(tags).length > 0 && { tags: JSON.stringify(tags) }),
    start: String(Math.max(0, Math.floor(sinceMs * 1000))),
    end: String(Math.ceil(untilMs * 1000)),
    limit: String(limit),
  });
}

async function fetchServices(url: string): Promise<string[]> {
  const answer = await fetchJson(`${url}/api/services`);
  const { data } = typeof answer === "object" && answer !== null && "data" in answer ? answer : { data: undefined };
  return Array.isArray(data) ? data.filter((name) => typeof name === "string").sort() : [];
}

/** None when Jaeger does not know the trace. */
async function fetchTraces(url: string): Promise<ReceivedSpan[][]> {
  const answer = await fetchJson(url);
  return answer === undefined ? [] : parseJaegerTraces(answer);
}

/** undefined: not found. Rejects with `unavailable` and Jaeger's own message. */
async function fetchJson(url: string): Promise<unknown> {
  const { origin, pathname } = new URL(url);
  try {
    const answer = await fetch(url, { signal: AbortSignal.timeout(answerLimitMs) });
    const text = await readText(answer);
    if (answer.status === 404) return undefined;
    if (!answer.ok) throw new Error(`it answered ${answer.status}: ${text.slice(0, 300).trim()}`);
    return JSON.parse(text);
  } catch (cause) {
    const reason = toFailure(cause).message;
    throw new TaskError("unavailable", `asking the Jaeger at "${origin}" for ${pathname}: ${reason}`, { cause });
  }
}

async function readText({ body }: Response): Promise<string> {
  const tooLarge = (): Error => new Error(`its answer is larger than ${maxAnswerBytes} bytes`);
  return Buffer.from(await readWithin(body, maxAnswerBytes, tooLarge)).toString("utf8");
}

const tag = z.object({ key: z.string(), value: z.json() });

const jaegerSpan = z.object({
  traceID: z.string(),
  spanID: z.string(),
  operationName: z.string(),
  references: z.array(z.object({ refType: z.string(), traceID: z.string(), spanID: z.string() })).nullish(),
  /** Microseconds since the epoch. */
  startTime: z.number(),
  duration: z.number(),
  tags: z.array(tag).nullish(),
  logs: z.array(z.object({ timestamp: z.number(), fields: z.array(tag).nullish() })).nullish(),
  processID: z.string(),
});
type JaegerSpan = z.infer<typeof jaegerSpan>;

const jaegerTrace = z.object({
  spans: z.array(jaegerSpan),
  processes: z.record(z.string(), z.object({ serviceName: z.string(), tags: z.array(tag).nullish() })),
});
type JaegerTrace = z.infer<typeof jaegerTrace>;

const jaegerTraces = z.object({ data: z.array(jaegerTrace).nullable() });

/** Tags that Jaeger makes of what OTLP has fields for, or of its own. */
const addedTags: ReadonlySet<string> = new Set([
  "error",
  "internal.span.format",
  "otel.scope.name",
  "otel.scope.version",
  "otel.status_code",
  "otel.status_description",
  "span.kind",
  "w3c.tracestate",
]);

const kinds: ReadonlyMap<unknown, SpanKind> = new Map([
  ["internal", "INTERNAL"],
  ["server", "SERVER"],
  ["client", "CLIENT"],
  ["producer", "PRODUCER"],
  ["consumer", "CONSUMER"],
]);

/** The spans of each trace of an answer; throws `invalid_argument` when `json` is not of that form. */
export function parseJaegerTraces(json: unknown): ReceivedSpan[][] {
  const parsed = jaegerTraces.safeParse(json);
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    const where = issue?.path.join(".") || "the whole";
    throw new TaskError("invalid_argument", `this is no trace in Jaeger's JSON: ${where}: ${issue?.message ?? ""}`);
  }
  return (parsed.data.data ?? []).map((trace) => trace.spans.map((span) => toReceivedSpan(span, trace)));
}

function toReceivedSpan(span: JaegerSpan, { processes }: JaegerTrace): ReceivedSpan {
  const tags = toAttributes(span.tags);
  const process = processes[span.processID];
  const service = process?.serviceName ?? "unknown_service";
  return {
    traceId: toId(span.traceID, 32),
    spanId: toId(span.spanID, 16),
    parentSpanId: parentIdOf(span),
    traceState: textOf(tags["w3c.tracestate"]),
    flags: 1,
    name: span.operationName,
    kind: kinds.get(tags["span.kind"]) ?? "INTERNAL",
    service,
    resource: { "service.name": service, ...toAttributes(process?.tags) },
    startMs: span.startTime / 1000,
    endMs: (span.startTime + span.duration) / 1000,
    status: toStatus(tags),
    attributes: Object.fromEntries(Object.entries(tags).filter(([key]) => !addedTags.has(key))),
    links: (span.references ?? [])
      .filter(({ refType }) => refType === "FOLLOWS_FROM")
      .map(({ traceID, spanID }) => ({ traceId: toId(traceID, 32), spanId: toId(spanID, 16), attributes: {} })),
    events: (span.logs ?? []).map(({ timestamp, fields }) => {
      const { event, ...attributes } = toAttributes(fields);
      return { name: textOf(event), atMs: timestamp / 1000, attributes };
    }),
  };
}

/**
 * Jaeger keeps one reference for a parent that is also linked, the link, and reads the first one within the trace as
 * the parent when there is no other (model/span.go, `ParentSpanID`).
 */
function parentIdOf({ traceID, references }: JaegerSpan): string | undefined {
  const within = (references ?? []).filter((reference) => reference.traceID === traceID);
  const parent = within.find(({ refType }) => refType === "CHILD_OF") ?? within[0];
  return parent && toId(parent.spanID, 16);
}

/** Older versions leave zeros at the front out. */
function toId(text: string, digits: number): string {
  return text.toLowerCase().padStart(digits, "0");
}

function toStatus(tags: Attributes): SpanStatus {
  const code = tags["otel.status_code"];
  const message = textOf(tags["otel.status_description"]);
  if (code === "OK") return { code, message };
  // Clients that never spoke OTLP have only the tag.
  return { code: code === "ERROR" || tags.error === true ? "ERROR" : "UNSET", message };
}

function toAttributes(tags: readonly z.infer<typeof tag>[] | null | undefined): Attributes {
  return Object.fromEntries((tags ?? []).map(({ key, value }) => [key, value]));
}

function textOf(value: Attributes[string] | undefined): string {
  return typeof value === "string" ? value : "";
}
