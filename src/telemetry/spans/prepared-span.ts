/**
 * Kinds of spans, each prepared once: its name, its kind and the attributes that all of its spans have are checked, masked
 * and encoded then, and its metric's labels looked up. A tracer of a role makes such spans itself; any other tracer, and
 * one whose limits a user has set, makes them as it makes all others.
 */

import {
  type Attributes,
  type Context,
  type Link,
  type Span,
  type SpanKind,
  TraceFlags,
  type Tracer,
} from "@opentelemetry/api";
import type { Resource } from "@opentelemetry/resources";
import { type IdGenerator, type Sampler, SamplingDecision } from "@opentelemetry/sdk-trace-base";
import type { Scope } from "../../otlp/request.ts";
import { encodeBlocks } from "../../otlp/span.ts";
import { spanContextOf } from "../context/propagation.ts";
import { ValidSpanContext, withSpan } from "../context/with-span.ts";
import type { Redaction } from "../logs/redact.ts";
import { type OwnPart, RoleSpan, type SpanCommon } from "./role-span.ts";
import { randomFlagOf } from "./span-start.ts";

/** A span that runs, and the context that carries it on. */
export interface ActiveSpan {
  span: Span;
  context: Context;
}

/** What all spans of a kind have. */
export interface SpanForm {
  name: string;
  kind: SpanKind;
  attributes?: Attributes;
}

export interface PreparedSpan {
  start(parent: Context, own?: OwnPart): ActiveSpan;
}

/** Of one tracer, what its spans are made from, and who looks at them. */
export interface SpanSource {
  resource: Resource;
  scope: Scope;
  ids: IdGenerator;
  sampler: Sampler;
  redaction: Redaction;
  /** Gives what measures the spans of a kind. */
  measureOf(form: SpanForm): Measure;
  onStart(span: RoleSpan): void;
  onEnd(span: RoleSpan): void;
}

export interface Measure {
  started(span: RoleSpan): void;
  ended(span: RoleSpan): void;
}

const sources = new WeakMap<Tracer, SpanSource>();

/** The prepared spans of `tracer` are made from `source` from now on. */
export function registerSource(tracer: Tracer, source: SpanSource): void {
  sources.set(tracer, source);
}

export function prepareSpan(tracer: Tracer, form: SpanForm): PreparedSpan {
  const source = sources.get(tracer);
  const { name, kind } = form;
  const attributes = toValid(form.attributes ?? {});
  if (source) return new RoleSpans(source, { name, kind, attributes });
  return {
    start: (parent, { attributes: own = {}, ...start } = {}) => {
      const span = tracer.startSpan(name, { kind, attributes: { ...attributes, ...toValid(own) }, ...start }, parent);
      return { span, context: withSpan(parent, span) };
    },
  };
}

/** Those that a span takes. */
function toValid(attributes: Attributes): Attributes {
  return Object.fromEntries(Object.entries(attributes).filter(([name, value]) => name !== "" && value !== undefined));
}

/** For samplers: none of ours looks at them. */
const unseen: Attributes = {};
const noLinks: Link[] = [];
const none: OwnPart = {};

class RoleSpans implements PreparedSpan {
  readonly #source: SpanSource;
  readonly #common: SpanCommon;
  readonly #measure: Measure;

  constructor(source: SpanSource, form: SpanForm) {
    this.#source = source;
    this.#measure = source.measureOf(form);
    this.#common = toCommon(source, form, this.#measure);
  }

  start(parent: Context, own = none): ActiveSpan {
    const { sampler, ids, onStart } = this.#source;
    const { name, kind } = this.#common;
    const above = spanContextOf(parent);
    const traceId = above ? above.traceId : ids.generateTraceId();
    const sampling = sampler.shouldSample(parent, traceId, name, kind, unseen, noLinks);
    const isSampled = sampling.decision === SamplingDecision.RECORD_AND_SAMPLED;
    const flags = (isSampled ? TraceFlags.SAMPLED : TraceFlags.NONE) | randomFlagOf(above);
    const context = new ValidSpanContext(traceId, ids.generateSpanId(), flags);
    const traceState = sampling.traceState ?? above?.traceState;
    if (traceState) context.traceState = traceState;
    const span = new RoleSpan(this.#common, context, above, own);
    if (sampling.attributes) span.setAttributes(sampling.attributes);
    this.#measure.started(span);
    onStart(span);
    return { span, context: withSpan(parent, span) };
  }
}

function toCommon(source: SpanSource, { name, kind, attributes = {} }: SpanForm, measure: Measure): SpanCommon {
  const { resource, scope, redaction } = source;
  let bare: SpanCommon | undefined;
  return {
    name,
    kind,
    attributes,
    count: Object.keys(attributes).length,
    blocks: encodeBlocks({ name, kind, attributes: redaction.redactAttributes(attributes) }),
    resource,
    scope,
    redaction,
    bare: () => {
      bare ??= toCommon(source, { name, kind }, source.measureOf({ name, kind }));
      return bare;
    },
    onEnd: (span) => {
      measure.ended(span);
      source.onEnd(span);
    },
  };
}
