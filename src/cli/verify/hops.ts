/**
 * What became of the probe's trace context at each hop, from the spans that arrived and from what the API says; and how
 * the clocks of the services go. Pure. A hop is judged by its two ends alone, so that one loss is one hop's, however many
 * traces follow from it: the receiver must be in the trace of the sender, or linked to it.
 */

import type { ReceivedSpan } from "../../otlp/span.ts";
import { fullMethod } from "../../rpc/methods.ts";
import { key, ownKey, serviceNames } from "../../telemetry/names.ts";

/** In the order in which a task passes them; those from `dead_letter` on only when the probe was to die. */
const hopNames = ["http", "rpc", "queue", "thread", "dead_letter", "redrive", "queue_again", "thread_again"] as const;
export type HopName = (typeof hopNames)[number];

/** `unseen`: what says so has not arrived. */
export type ContextFate = "continued" | "linked" | "lost" | "unseen";

/** What is known of the probe without its spans. */
export interface ProbeFacts {
  /** Of the trace that the probe began. */
  traceId: string;
  submittedAtMs: number;
  /** Of `traceresponse`; undefined: the answer had none. */
  gatewayTraceId: string | undefined;
  /** As the API gives them. */
  taskTraceId: string;
  attemptTraceIds: readonly string[];
  /** It was to die, and to be brought back. */
  isToDie: boolean;
}

export interface HopReport {
  hop: HopName;
  from: string;
  to: string;
  context: ContextFate;
  /** From where it was sent to where it was received, by the clocks of both; null: unseen, or the clocks disagree. */
  tookMs: number | null;
  /** What was seen instead; of what is lost or unseen. */
  detail?: string;
}

/** The spans at the ends of the hops. */
interface Places {
  gateway?: ReceivedSpan | undefined;
  service?: ReceivedSpan | undefined;
  sent?: ReceivedSpan | undefined;
  received?: ReceivedSpan | undefined;
  ran?: ReceivedSpan | undefined;
  buried?: ReceivedSpan | undefined;
  dead?: ReceivedSpan | undefined;
  redriven?: ReceivedSpan | undefined;
  sentAgain?: ReceivedSpan | undefined;
  receivedAgain?: ReceivedSpan | undefined;
  ranAgain?: ReceivedSpan | undefined;
}

/** The probe has one attempt a life: of two alike the later one is of the second life. */
export function findPlaces(spans: readonly ReceivedSpan[]): Places {
  const ordered = spans.toSorted((a, b) => a.startMs - b.startMs);
  const isOfDeadLetter = ({ attributes }: ReceivedSpan): boolean => attributes[ownKey.deadReason] !== undefined;
  const sends = ordered.filter((span) => span.kind === "PRODUCER" && !isOfDeadLetter(span));
  const receipts = ordered.filter((span) => span.kind === "CONSUMER" && !isOfDeadLetter(span));
  const runs = ordered.filter(({ kind, name }) => kind === "INTERNAL" && name.startsWith("run "));
  const isServer = ({ kind, attributes }: ReceivedSpan, attribute: string, value: string): boolean =>
    kind === "SERVER" && attributes[attribute] === value;
  return {
    gateway: ordered.find(
      (span) => isServer(span, key.httpRoute, "/v1/tasks") && isServer(span, key.httpRequestMethod, "POST"),
    ),
    service: ordered.find((span) => isServer(span, key.rpcMethod, fullMethod("CreateTask"))),
    sent: sends[0],
    received: receipts[0],
    ran: runs[0],
    buried: ordered.find((span) => span.kind === "PRODUCER" && isOfDeadLetter(span)),
    dead: ordered.find((span) => span.kind === "CONSUMER" && isOfDeadLetter(span)),
    redriven: ordered.find(({ name }) => name === "redrive tasks"),
    sentAgain: sends.length > 1 ? sends.at(-1) : undefined,
    receivedAgain: receipts.length > 1 ? receipts.at(-1) : undefined,
    ranAgain: runs.length > 1 ? runs.at(-1) : undefined,
  };
}

const threadName = "handler thread";

/** One end of a hop: its span, else the trace that the API says it was in. */
interface End {
  service: string;
  span?: ReceivedSpan | undefined;
  apiTraceId?: string | undefined;
}

/** Each hop of the probe's way, in its order. */
export function judgeHops(facts: ProbeFacts, spans: readonly ReceivedSpan[]): HopReport[] {
  const at = findPlaces(spans);
  const [attemptTraceId, laterTraceId] = facts.attemptTraceIds;
  const gateway = end(serviceNames.gateway, at.gateway, facts.gatewayTraceId);
  const service = end(serviceNames["task-service"], at.service, facts.taskTraceId);
  const worker = end(serviceNames.worker, at.received, attemptTraceId);
  const dlq = end(serviceNames.dlq, at.dead);
  const redriver = end(serviceNames.dlq, at.redriven);
  const workerAgain = end(serviceNames.worker, at.receivedAgain, laterTraceId);
  const probe = { service: "probe", apiTraceId: facts.traceId };
  const first = judge("http", probe, gateway);
  const took = at.gateway === undefined ? null : at.gateway.startMs - facts.submittedAtMs;
  const hops = [
    { ...first, tookMs: took !== null && took >= 0 ? took : null },
    judge("rpc", gateway, service),
    judge("queue", at.sent ? { ...service, span: at.sent } : service, worker),
    judge("thread", worker, { service: threadName, span: at.ran }),
  ];
  if (!facts.isToDie) return hops;
  return [
    ...hops,
    judge("dead_letter", at.buried ? { ...worker, span: at.buried } : worker, dlq),
    judge("redrive", dlq, redriver),
    judge("queue_again", at.sentAgain ? { ...redriver, span: at.sentAgain } : redriver, workerAgain),
    judge("thread_again", workerAgain, { service: threadName, span: at.ranAgain }),
  ];
}

function end(service: string, span: ReceivedSpan | undefined, apiTraceId?: string): End {
  return { service: span?.service ?? service, span, apiTraceId };
}

function judge(hop: HopName, from: End, to: End): HopReport {
  const sentIn = from.span?.traceId ?? from.apiTraceId;
  const both = { hop, from: from.service, to: to.service };
  if (to.span === undefined) return { ...both, tookMs: null, ...judgeUnseen(hop, sentIn, to) };
  const { traceId, links } = to.span;
  const tookMs = from.span && to.span.startMs >= from.span.startMs ? to.span.startMs - from.span.startMs : null;
  if (sentIn === undefined) {
    return { ...both, tookMs, context: "unseen", detail: `no span of ${from.service} arrived to compare with` };
  }
  if (traceId === sentIn) return { ...both, tookMs, context: "continued" };
  if (links.some((link) => link.traceId === sentIn)) return { ...both, tookMs, context: "linked" };
  return { ...both, tookMs, context: "lost", detail: `it was sent in trace ${sentIn}, and received in ${traceId}` };
}

/** A call is always in its caller's trace; elsewhere another trace may be one that is linked. */
function judgeUnseen(hop: HopName, sentIn: string | undefined, to: End): Pick<HopReport, "context" | "detail"> {
  const { apiTraceId, service } = to;
  if (hop === "rpc" && sentIn !== undefined && apiTraceId !== undefined && apiTraceId !== sentIn) {
    return { context: "lost", detail: `it was sent in trace ${sentIn}, and the task was stored in ${apiTraceId}` };
  }
  if (apiTraceId === undefined) return { context: "unseen", detail: `no span of ${service} arrived` };
  const what = apiTraceId === sentIn ? "worked in the right trace" : `worked in trace ${apiTraceId}`;
  return { context: "unseen", detail: `${service} ${what}, but no span of it arrived` };
}

/** The hop to blame: the first that lost the context, else the first of which nothing is known; undefined: all is well. */
export function hopToBlame(hops: readonly HopReport[]): HopReport | undefined {
  return hops.find(({ context }) => context === "lost") ?? hops.find(({ context }) => context === "unseen");
}

/** By the probe's own clock: milliseconds since the epoch, with a fraction. */
export interface SeenTimes {
  submittedAtMs: number;
  acceptedAtMs: number;
  /** When the last of what was to happen to the task was seen; infinite: it was not. */
  doneAtMs: number;
}

export interface ClockReport {
  service: string;
  /** How far its clock is ahead of the probe's: at least, and at most. */
  aheadMs: [least: number, most: number];
  /** What is proven of it: 0 when it may go right; negative: behind. */
  skewMs: number;
}

/**
 * The clock of each service, compared with the probe's. Each span of the probe began and ended between two moments that
 * the probe saw itself; by a clock with which it did not, the clock is off, by at least what is missing.
 */
export function readClocks({ submittedAtMs, acceptedAtMs, doneAtMs }: SeenTimes, places: Places): ClockReport[] {
  const { gateway, service, received, ran, dead } = places;
  // A service may end its span after its answer is seen; a handler has returned before its task has ended.
  const moments: [span: ReceivedSpan | undefined, readMs: number | undefined, untilMs: number][] = [
    [gateway, gateway?.startMs, acceptedAtMs],
    [service, service?.startMs, acceptedAtMs],
    [service, service?.endMs, acceptedAtMs],
    [received, received?.startMs, doneAtMs],
    [ran, ran?.startMs, doneAtMs],
    [ran, ran?.endMs, doneAtMs],
    [dead, dead?.startMs, doneAtMs],
  ];
  const clocks = new Map<string, [number, number]>();
  for (const [span, readMs, untilMs] of moments) {
    if (!span || readMs === undefined) continue;
    const [least, most] = clocks.get(span.service) ?? [Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY];
    clocks.set(span.service, [Math.max(least, readMs - untilMs), Math.min(most, readMs - submittedAtMs)]);
  }
  return [...clocks].map(([service, [least, most]]) => ({
    service,
    aheadMs: [least, most],
    skewMs: least > 0 ? least : Math.min(0, most),
  }));
}
