/** The probe's spans, as the console has them: those of its task, and those of the traces that it is known to be in. */

import { spansOfView, type TaskTraceView } from "../../console/task-trace-view.ts";
import { systemClock } from "../../limits/clock.ts";
import { decodeSpans, type ReceivedSpan } from "../../otlp/span.ts";
import { TaskError } from "../../words/errors.ts";
import { askConsole } from "../console-client.ts";
import { judgeHops } from "./hops.ts";
import type { ProbeRun } from "./probe.ts";

const pollMs = 200;
/** Each role sends about once a second: when nothing came for so long, nothing more is on its way. */
const settledMs = 3000;

/**
 * Once every hop has passed the context on; else once every hop can be judged and nothing more comes, since a span that
 * is still on its way may be the one that is missed; or as far as they have come when the time is over.
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
    const [ofTask, ...ofTraces] = texts.map((text, index) => (text === undefined ? [] : read(text, index === 0)));
    const spans = unique([...ofTraces.flat(), ...(ofTask ?? [])]);
    if (spans.length !== seen) [seen, seenAtMs] = [spans.length, performance.now()];
    const fates = new Set(judgeHops(facts, spans).map(({ context }) => context));
    const isKnown = !fates.has("unseen") && performance.now() - seenAtMs >= settledMs;
    const isGreen = !fates.has("unseen") && !fates.has("lost");
    if (isGreen || isKnown || limit.aborted) return spans;
    await systemClock.sleep(pollMs, limit);
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

function read(text: string, isOfTask: boolean): ReceivedSpan[] {
  // Of the console of this same program.
  if (isOfTask) return spansOfView(JSON.parse(text) as TaskTraceView);
  return decodeSpans({ encoding: "json", bytes: new TextEncoder().encode(text) });
}

function unique(spans: readonly ReceivedSpan[]): ReceivedSpan[] {
  return [...new Map(spans.map((span) => [`${span.traceId}/${span.spanId}`, span])).values()];
}
