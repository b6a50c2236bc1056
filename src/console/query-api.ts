/**
 * The console's query API: traces that fit a search, one of them, and all of a task as one. Reads only; every answer is
 * JSON, and every refusal a problem as the gateway's.
 */

import { Hono } from "hono";
import type { HttpHandler } from "../http/listen.ts";
import { toProblem } from "../http/problem.ts";
import type { Clock } from "../limits/clock.ts";
import { toOtlpJson } from "../otlp/json.ts";
import type { ReceivedLog } from "../otlp/log.ts";
import type { ReceivedSpan } from "../otlp/span.ts";
import { duration } from "../settings/parsers.ts";
import { cutText } from "../telemetry/spans/attributes.ts";
import { TaskError, toTaskError } from "../words/errors.ts";
import { canonicalId } from "../words/task-id.ts";
import type { Intake } from "./intake.ts";
import type { MetricHistory } from "./metric-history.ts";
import { historyMs, slotMs } from "./metric-slots.ts";
import { toOverview } from "./overview.ts";
import { type ConsoleSettings, toSystemView } from "./system-view.ts";
import { linkedTraceIds, stitchTaskTrace } from "./task-trace.ts";
import { toTaskTraceView, toTimeText } from "./task-trace-view.ts";
import { maxTraceLogs, maxTraceSpans, type TelemetryFile } from "./telemetry-file.ts";
import { parseTraceFilter, type TraceStore, type TraceSummary } from "./trace-search.ts";

interface QueryDeps {
  /** Where spans are: the file, or a Jaeger. */
  traces: TraceStore;
  /** Where log lines are, in any case. */
  file: Pick<TelemetryFile, "logsOf" | "usedBytes">;
  /** What it has not written yet is looked for too. */
  intake: Pick<Intake, "catchUp" | "figures">;
  history: MetricHistory;
  config: ConsoleSettings;
  clock: Clock;
  /** Of the trace under which a fault of ours is logged. */
  traceId: string;
  /** Called for every fault of ours. */
  onFault(error: TaskError): void;
}

const traceIdText = /^[0-9a-f]{32}$/;
/** Any program may put a `task_id` on a span: it need not be a UUID, only look like an id. */
const taskIdText = /^[\w.:-]{1,128}$/;
const paths = ["/v1/traces", "/v1/traces/{id}", "/v1/tasks/{id}/trace", "/v1/overview", "/v1/system"];
const usualRangeMs = 15 * 60_000;

export function createQueryApi(deps: QueryDeps): HttpHandler {
  const { traces, file, intake, history, config, clock } = deps;
  const app = new Hono();

  app.use(async (c, next) => {
    await next();
    c.res.headers.set("cache-control", "no-store");
    c.res.headers.set("x-content-type-options", "nosniff");
  });

  app.get("/v1/traces", async (c) => {
    const filter = parseTraceFilter(new URL(c.req.url).searchParams, clock.nowMs());
    intake.catchUp();
    const found = await traces.search(filter);
    const items = found.traces.map(toSummaryView);
    return c.json({ items, is_complete: found.isComplete, ...intake.figures() });
  });

  app.get("/v1/traces/:id", async (c) => {
    const traceId = c.req.param("id").toLowerCase();
    refuseQuery(c.req.url);
    if (!traceIdText.test(traceId)) {
      throw new TaskError("invalid_argument", `"${cutText(traceId)}" is no trace id: expected 32 hex digits`);
    }
    intake.catchUp();
    const spans = await traces.spansOf(traceId);
    const logs = file.logsOf(traceId);
    if (spans.length + logs.length === 0) throw notFound(`the trace "${traceId}"`);
    return c.json(toOtlpJson(spans, logs));
  });

  app.get("/v1/tasks/:id/trace", async (c) => {
    const taskId = canonicalId(c.req.param("id"));
    refuseQuery(c.req.url);
    if (!taskIdText.test(taskId)) {
      throw new TaskError("invalid_argument", `"${cutText(taskId)}" is no task id: expected a UUID`);
    }
    intake.catchUp();
    const { spans, logs } = await readTask(deps, taskId);
    if (spans.length === 0) throw notFound(`the task "${taskId}"`);
    return c.json(toTaskTraceView(stitchTaskTrace(taskId, spans, logs)));
  });

  app.get("/v1/overview", (c) => c.json(toOverview(history, parseRange(new URL(c.req.url).searchParams))));

  app.get("/v1/system", (c) => {
    refuseQuery(c.req.url);
    return c.json(toSystemView({ history, config, figures: intake.figures(), fileBytes: file.usedBytes() }));
  });

  app.all("*", (c) => {
    const { method, path } = c.req;
    if (method === "GET" || method === "HEAD") {
      throw new TaskError("not_found", `there is nothing at ${cutText(path)}; what can be asked: ${paths.join(", ")}`);
    }
    throw new TaskError("method_not_allowed", `${cutText(path)} does not take ${cutText(method)}; it takes GET`);
  });

  app.onError((thrown) => {
    const error = toTaskError(thrown);
    if (error.code === "internal") deps.onFault(error);
    return toProblem(error, deps.traceId);
  });

  return (request) => app.fetch(request);
}

/** Its own traces, and those that they follow by a link. */
async function readTask(
  { traces, file }: QueryDeps,
  taskId: string,
): Promise<{ spans: ReceivedSpan[]; logs: ReceivedLog[] }> {
  const own = await traces.traceIdsOf(taskId);
  const spans: ReceivedSpan[] = [];
  const logs: ReceivedLog[] = [];
  const read = async (traceId: string): Promise<void> => {
    if (spans.length < maxTraceSpans) for (const span of await traces.spansOf(traceId)) spans.push(span);
    if (logs.length < maxTraceLogs) for (const log of file.logsOf(traceId)) logs.push(log);
  };
  for (const traceId of own) await read(traceId);
  for (const traceId of linkedTraceIds(taskId, spans)) await read(traceId);
  return { spans, logs };
}

/** `range`: how far back. Throws `invalid_argument`. */
function parseRange(query: URLSearchParams): number {
  let rangeMs = usualRangeMs;
  for (const [name, text] of query) {
    if (name !== "range") throw new TaskError("invalid_argument", `unknown query parameter "${cutText(name)}"`);
    try {
      rangeMs = duration(slotMs, historyMs)(text);
    } catch (cause) {
      const reason = cause instanceof Error ? cause.message : String(cause);
      throw new TaskError("invalid_argument", `range: "${cutText(text)}": ${reason}`, { cause });
    }
  }
  return rangeMs;
}

function refuseQuery(url: string): void {
  const [first] = new URL(url).searchParams;
  if (first) throw new TaskError("invalid_argument", `unknown query parameter "${cutText(first[0])}"`);
}

function notFound(what: string): TaskError {
  return new TaskError(
    "not_found",
    `the console knows nothing of ${what}: it was not sampled, is not here yet, or is older than what is kept`,
  );
}

function toSummaryView({ traceId, startMs, endMs, spans, errors, service, name, services, taskIds }: TraceSummary) {
  return {
    trace_id: traceId,
    started_at: toTimeText(startMs),
    duration_ms: Math.round((endMs - startMs) * 1000) / 1000,
    service,
    operation: name,
    spans,
    errors,
    services,
    task_ids: taskIds,
  };
}
