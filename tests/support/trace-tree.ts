/** A trace as a value that can be compared: what happened below what, without ids and times. */

import type { ReceivedSpan, SpanKind } from "../../src/otlp/span.ts";

export interface TraceNode {
  service: string;
  kind: SpanKind;
  name: string;
  /** Of spans that belong to one attempt. */
  attempt?: number;
  /** `error.type` of spans whose status is Error. */
  error?: string;
  /** In the order they started. */
  children: TraceNode[];
}

/** The trees of all spans without a parent among them, in the order they started. */
export function toTraceTrees(spans: readonly ReceivedSpan[]): TraceNode[] {
  const known = new Set(spans.map(idOf));
  const below = Map.groupBy(spans.toSorted(byStart), (span) => {
    const parent = parentIdOf(span);
    return parent !== undefined && known.has(parent) ? parent : undefined;
  });
  const toNode = (span: ReceivedSpan): TraceNode => ({
    ...describe(span),
    children: (below.get(idOf(span)) ?? []).map(toNode),
  });
  return (below.get(undefined) ?? []).map(toNode);
}

/**
 * The trees without what came once more and did nothing: a delivery that ran no attempt, and a send whose deliveries all
 * were such. Queues deliver at least once, and a slow machine makes them do it twice.
 */
export function withoutRepeats(trees: readonly TraceNode[]): TraceNode[] {
  return trees.flatMap((tree) => {
    const children = withoutRepeats(tree.children);
    const isIdleDelivery = tree.kind === "CONSUMER" && !children.some(({ kind }) => kind === "INTERNAL");
    const isIdleSend = tree.kind === "PRODUCER" && children.length === 0;
    return isIdleDelivery || isIdleSend ? [] : [{ ...tree, children }];
  });
}

/**
 * What a whole trace made on one machine must not have, a line for each: several roots, orphans, spans that end before
 * they start, or start before their parent.
 */
export function faultsOf(spans: readonly ReceivedSpan[]): string[] {
  const known = new Map(spans.map((span) => [idOf(span), span]));
  const roots = spans.filter(({ parentSpanId }) => parentSpanId === undefined);
  const orphans = spans.filter((span) => {
    const parent = parentIdOf(span);
    return parent !== undefined && !known.has(parent);
  });
  const early = spans.filter((span) => {
    const parent = known.get(parentIdOf(span) ?? "");
    return parent !== undefined && span.startMs < parent.startMs;
  });
  const backward = spans.filter(({ startMs, endMs }) => endMs < startMs);
  return [
    ...(roots.length === 1 ? [] : [`${roots.length} roots: ${roots.map(({ name }) => name).join(", ")}`]),
    ...(known.size === spans.length ? [] : [`${spans.length - known.size} spans share an id with another`]),
    ...orphans.map(({ service, name }) => `orphan: ${service} ${name}`),
    ...early.map(({ service, name }) => `starts before its parent: ${service} ${name}`),
    ...backward.map(({ service, name }) => `negative duration: ${service} ${name}`),
  ];
}

/** For each span that has links, in the order they started: its name, and the names of the spans `among` which it links. */
export function linksOf(
  spans: readonly ReceivedSpan[],
  among: readonly ReceivedSpan[] = spans,
): [name: string, linked: string[]][] {
  const names = new Map(among.map((span) => [idOf(span), span.name]));
  return spans
    .toSorted(byStart)
    .filter(({ links }) => links.length > 0)
    .map(({ name, links }) => [name, links.map((link) => names.get(idOf(link)) ?? "no such span")]);
}

function describe({ service, kind, name, attributes, status }: ReceivedSpan): Omit<TraceNode, "children"> {
  const { attempt } = attributes;
  return {
    service,
    kind,
    name,
    ...(attempt !== undefined && { attempt: Number(attempt) }),
    ...(status.code === "ERROR" && { error: String(attributes["error.type"] ?? "without a type") }),
  };
}

function byStart(a: ReceivedSpan, b: ReceivedSpan): number {
  return a.startMs - b.startMs || a.endMs - b.endMs;
}

function idOf({ traceId, spanId }: { traceId: string; spanId: string }): string {
  return `${traceId}/${spanId}`;
}

function parentIdOf({ traceId, parentSpanId }: ReceivedSpan): string | undefined {
  return parentSpanId === undefined ? undefined : `${traceId}/${parentSpanId}`;
}
