/**
 * What a verification gathers from a running system: a probe, a task with a trace of its own that is followed to its end
 * and with `--dead-letter` beyond it; the probe's spans; and the telemetry that was dropped.
 */

import { systemClock } from "../../limits/clock.ts";
import type { ReceivedSpan } from "../../otlp/span.ts";
import { parseTraceparent } from "../../telemetry/context/trace-context.ts";
import { serviceNames } from "../../telemetry/names.ts";
import { preciseNowMs } from "../../telemetry/spans/span-start.ts";
import { TaskError } from "../../words/errors.ts";
import { isEnded, type TaskStatus } from "../../words/task.ts";
import type { RedriveAnswer, TaskAnswer } from "../api-answers.ts";
import { deadLetterPath, deadLettersPath, taskPath, tasksPath, waitForEnd } from "../api-calls.ts";
import { type ApiAnswer, type ApiClient, askConsole } from "../api-client.ts";
import { spansOfTaskTrace, spansOfTrace } from "../print/trace.ts";
import { judgeHops, type ProbeFacts, type SeenTimes } from "./hops.ts";

export interface ProbeRun {
  taskId: string;
  type: string;
  status: TaskStatus;
  /** It went all the way that it was sent. */
  isDone: boolean;
  /** From when it was submitted until it was seen to have ended, the first time; null: it was not. */
  tookMs: number | null;
  facts: ProbeFacts;
  times: SeenTimes;
}

interface ProbeOptions {
  isToDie: boolean;
  limit: AbortSignal;
  deadlineMs: number;
}

const reason = "throughline verify";
const probePollMs = 50;
/** Of its attempt. */
const probeTimeout = "30s";

/** Rejects with `TaskError` when the API refuses or is away; a probe that does not end in time is no error. */
export async function runProbe(api: ApiClient, { isToDie, limit, deadlineMs }: ProbeOptions): Promise<ProbeRun> {
  const type = isToDie ? "fail" : "echo";
  const payload = isToDie ? { message: "a probe, sent to die", fatal: true } : { probe: reason };
  const traceId = randomHex(16);
  const headers = { traceparent: `00-${traceId}-${randomHex(8)}-01`, "x-force-trace": "true" };
  const submittedAtMs = preciseNowMs();
  const accepted = await api.call<TaskAnswer>("POST", tasksPath, {
    body: { type, payload, max_attempts: 1, timeout: probeTimeout },
    headers,
  });
  const acceptedAtMs = preciseNowMs();
  const { id } = accepted.body;
  let { body: task } = await waitForEnd(api, id, Math.max(0, deadlineMs - performance.now()));
  const tookMs = isEnded(task.status) ? preciseNowMs() - submittedAtMs : null;
  let isDone = task.status === (isToDie ? "dead" : "succeeded");
  if (isToDie && isDone) {
    task = await bringBack(api, id, limit);
    isDone = task.attempts.length > 1 && task.status === "dead";
    if (isDone) await api.call("POST", `${deadLetterPath(id)}/discard`, { body: { reason } });
  }
  const doneAtMs = isDone ? preciseNowMs() : Number.POSITIVE_INFINITY;
  return {
    taskId: id,
    type,
    status: task.status,
    isDone,
    tookMs,
    facts: {
      traceId,
      submittedAtMs,
      gatewayTraceId: gatewayTraceIdOf(accepted),
      taskTraceId: accepted.body.trace_id,
      attemptTraceIds: task.attempts.map(({ trace_id }) => trace_id),
      isToDie,
    },
    times: { submittedAtMs, acceptedAtMs, doneAtMs },
  };
}

/** The task once it has died again, or as it is when the time is up. */
async function bringBack(api: ApiClient, id: string, limit: AbortSignal): Promise<TaskAnswer> {
  await api.call<RedriveAnswer>("POST", `${deadLettersPath}/redrive`, { body: { ids: [id], reason } });
  for (;;) {
    const { body: task } = await api.call<TaskAnswer>("GET", taskPath(id));
    if (limit.aborted || (task.attempts.length > 1 && task.status === "dead")) return task;
    await systemClock.sleep(probePollMs, limit);
  }
}

function gatewayTraceIdOf({ headers }: ApiAnswer<TaskAnswer>): string | undefined {
  return parseTraceparent(headers.get("traceresponse") ?? "")?.traceId;
}

function randomHex(bytes: number): string {
  return crypto.getRandomValues(new Uint8Array(bytes)).toHex();
}

const spansPollMs = 200;
/** Each role sends about once a second: when nothing came for so long, nothing more is on its way. */
const settledMs = 3000;

/**
 * The probe's spans, as the console has them: those of its task, and those of the traces that it is known to be in.
 * Resolves once every hop has passed the context on; else once every hop can be judged and nothing more comes, since a span that is
 * still on its way may be the one that is missing; else when the time is over.
 */
export async function gatherSpans(
  { taskId, facts }: ProbeRun,
  consoleUrl: string | undefined,
  limit: AbortSignal,
): Promise<ReceivedSpan[]> {
  const traceIds = new Set([facts.traceId, facts.gatewayTraceId ?? facts.traceId, facts.taskTraceId]);
  const paths = [`/tasks/${taskId}/trace`, ...[...traceIds].map((traceId) => `/traces/${traceId}`)];
  let [seen, seenAtMs] = [0, performance.now()];
  for (;;) {
    const texts = await Promise.all(paths.map((path) => askIfKnown(path, consoleUrl)));
    const [ofTask, ...ofTraces] = texts.map((text, index) => {
      if (text === undefined) return [];
      return index === 0 ? spansOfTaskTrace(text) : spansOfTrace(text);
    });
    const spans = unique([...ofTraces.flat(), ...(ofTask ?? [])]);
    if (spans.length !== seen) [seen, seenAtMs] = [spans.length, performance.now()];
    const fates = new Set(judgeHops(facts, spans).map(({ context }) => context));
    const isKnown = !fates.has("unseen") && performance.now() - seenAtMs >= settledMs;
    const isGreen = !fates.has("unseen") && !fates.has("lost");
    if (isGreen || isKnown || limit.aborted) return spans;
    await systemClock.sleep(spansPollMs, limit);
  }
}

/** undefined: the console does not know it, or not yet. */
async function askIfKnown(path: string, consoleUrl: string | undefined): Promise<string | undefined> {
  try {
    return await askConsole(path, consoleUrl);
  } catch (error) {
    if (error instanceof TaskError && error.code === "not_found") return undefined;
    throw error;
  }
}

function unique(spans: readonly ReceivedSpan[]): ReceivedSpan[] {
  return [...new Map(spans.map((span) => [`${span.traceId}/${span.spanId}`, span])).values()];
}

/** Spans and log records, since the start of the process that counts them. */
interface DroppedCount {
  /** The console, or the service whose telemetry it was. */
  at: string;
  /** Why: `queue_full`, or what sending failed of; empty: not known. */
  reason: string;
  count: number;
}

export interface DroppedReport {
  counts: DroppedCount[];
  /** Addresses that did not answer. */
  unread: string[];
}

const metricsLimitMs = 5000;

/**
 * How much telemetry was lost on its way, by the console and by each process. Rejects with `TaskError` when the console
 * does not answer; an admin address that does not is reported.
 */
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
  // The metrics of the console's process have the same count, with its reasons.
  const hasReasons = counts.some(({ at, reason }) => at === serviceNames.console && reason !== "");
  const shown = counts.filter(
    ({ at, reason, count }) => count > 0 && !(hasReasons && at === serviceNames.console && reason === ""),
  );
  return { counts: shown, unread: unread.toSorted() };
}

async function readMetrics(url: string): Promise<string | undefined> {
  try {
    const answer = await fetch(`${url}/metrics`, { signal: AbortSignal.timeout(metricsLimitMs) });
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
