/**
 * Which traces leave the process. A trace is decided where it begins: by the share that the environment keeps, by
 * `OTEL_TRACES_SAMPLER`, by a caller who forces it, or, when it continues a task that another trace began, as that one
 * was. Every later span follows its parent. What is not sampled is recorded all the same, so that metrics count it and
 * a failure can still be kept (failure-buffer.ts).
 */

import {
  type Attributes,
  type Context,
  createContextKey,
  type Link,
  type SpanContext,
  type SpanKind,
  TraceFlags,
  type TraceState,
  trace,
} from "@opentelemetry/api";
import {
  AlwaysOffSampler,
  AlwaysOnSampler,
  type Sampler,
  SamplingDecision,
  type SamplingResult,
  TraceIdRatioBasedSampler,
} from "@opentelemetry/sdk-trace-base";
import type { OtelSampler } from "../../settings/otel-settings.ts";
import { spanContextOf } from "../context/propagation.ts";
import { emptyTraceState, ownMember } from "../context/trace-context.ts";
import { ownKey } from "../names.ts";

/** What was decided for a trace before its first span. */
interface Decision {
  isSampled: boolean;
  /** A caller forced the whole trace: later samplers and the traces that follow keep to it. */
  isForced: boolean;
}

const decisionKey = createContextKey("throughline sampling decision");

/** The value of our member of `tracestate` in a trace that was forced. */
const forced = "forced";

/** The next span from this context, and all that follow, are sampled. */
export function forceSampling(context: Context): Context {
  return decide(context, { isSampled: true, isForced: true });
}

/** A trace that begins from this context is sampled as `earlier` was, and forced when it was. */
export function inheritSampling(context: Context, earlier: SpanContext | undefined): Context {
  if (!earlier) return context;
  return decide(context, { isSampled: isSampled(earlier), isForced: isForced(earlier.traceState) });
}

export function isSampled({ traceFlags }: SpanContext): boolean {
  return (traceFlags & TraceFlags.SAMPLED) !== 0;
}

/** The same context, its span marked as sampled: what is made from it is, in every process. */
export function asSampled(context: Context): Context {
  const span = spanContextOf(context);
  if (!span || isSampled(span)) return context;
  return trace.setSpanContext(context, { ...span, traceFlags: span.traceFlags | TraceFlags.SAMPLED });
}

/** What decides where a trace begins: the sampler that the user chose, else the environment. */
export interface SamplingSettings {
  environment: keyof typeof shares;
  otel: { sampler: OtelSampler | undefined };
}

/** Whether failures are exported though their trace is not sampled: not when tracing is switched off. */
export function keepsFailures({ otel }: SamplingSettings): boolean {
  return otel.sampler === undefined || !otel.sampler.name.endsWith("always_off");
}

export function createSampler({ environment, otel: { sampler } }: SamplingSettings): Sampler {
  const root = sampler ? rootSampler(sampler) : new TraceIdRatioBasedSampler(shares[environment]);
  return new TaskSampler(root, {
    followsParent: sampler === undefined || sampler.name.startsWith("parentbased_"),
    isOff: sampler?.name === "always_off",
  });
}

const shares = { development: 1, staging: 0.5, production: 0.1 } as const;

function rootSampler({ name, ratio }: OtelSampler): Sampler {
  switch (name) {
    case "always_on":
    case "parentbased_always_on":
      return new AlwaysOnSampler();
    case "always_off":
    case "parentbased_always_off":
      return new AlwaysOffSampler();
    case "traceidratio":
    case "parentbased_traceidratio":
      return new TraceIdRatioBasedSampler(ratio);
  }
}

const sampled: SamplingResult = { decision: SamplingDecision.RECORD_AND_SAMPLED };
const recorded: SamplingResult = { decision: SamplingDecision.RECORD };

/** Decisions taken before the trace began, below them the parent's, and for a trace that begins here `root`. */
class TaskSampler implements Sampler {
  readonly #root: Sampler;
  readonly #followsParent: boolean;
  readonly #isOff: boolean;

  constructor(root: Sampler, { followsParent, isOff }: { followsParent: boolean; isOff: boolean }) {
    this.#root = root;
    this.#followsParent = followsParent;
    this.#isOff = isOff;
  }

  shouldSample(
    context: Context,
    traceId: string,
    name: string,
    kind: SpanKind,
    attributes: Attributes,
    links: Link[],
  ): SamplingResult {
    if (this.#isOff) return recorded;
    const parent = spanContextOf(context);
    // Put there by `decide` alone.
    const decision = context.getValue(decisionKey) as Decision | undefined;
    if (decision?.isForced || isForced(parent?.traceState)) return forcedResult(parent?.traceState);
    if (decision && !parent) return decision.isSampled ? sampled : recorded;
    if (parent && this.#followsParent) return isSampled(parent) ? sampled : recorded;
    const own = this.#root.shouldSample(context, traceId, name, kind, attributes, links);
    return own.decision === SamplingDecision.RECORD_AND_SAMPLED ? sampled : recorded;
  }

  toString(): string {
    return `TaskSampler{${this.#root}}`;
  }
}

function decide(context: Context, decision: Decision): Context {
  return context.setValue(decisionKey, decision);
}

function isForced(traceState: TraceState | undefined): boolean {
  return traceState?.get(ownMember) === forced;
}

function forcedResult(traceState: TraceState | undefined): SamplingResult {
  return {
    decision: SamplingDecision.RECORD_AND_SAMPLED,
    attributes: { [ownKey.forced]: true },
    traceState: (traceState ?? emptyTraceState).set(ownMember, forced),
  };
}
