/**
 * A span of the roles' own, of a kind that was prepared: it holds what is its own, and shares the rest with all others of
 * its kind. The SDK's span, which handlers get, copies and checks all of it each time. The limits are the SDK's defaults.
 */

import {
  type Attributes,
  type AttributeValue,
  diag,
  type Exception,
  type HrTime,
  type Link,
  type Span,
  type SpanContext,
  type SpanKind,
  type SpanStatus,
  SpanStatusCode,
  type TimeInput,
} from "@opentelemetry/api";
import { isTimeInput, sanitizeAttributes, timeInputToHrTime } from "@opentelemetry/core";
import type { Resource } from "@opentelemetry/resources";
import type { ReadableSpan, TimedEvent } from "@opentelemetry/sdk-trace-base";
import type { Scope } from "../../otlp/request.ts";
import { type EncodedSpan, encodePrepared, type SpanBlocks } from "../../otlp/span.ts";
import { toFailure } from "../../words/errors.ts";
import type { Redaction } from "../logs/redact.ts";
import { key } from "../names.ts";
import { preciseEpochMs, preciseNowMs, toHrTime } from "./span-start.ts";

/** What the spans of one kind have in common. */
export interface SpanCommon {
  name: string;
  kind: SpanKind;
  attributes: Attributes;
  /** How many there are of them. */
  count: number;
  blocks: SpanBlocks;
  resource: Resource;
  scope: Scope;
  redaction: Redaction;
  /** The same without attributes: of a span that has a value of its own for one of them. */
  bare(): SpanCommon;
  onEnd(span: RoleSpan): void;
}

/** Attributes, events and links of a span, by default. */
const maxCount = 128;
const unset: SpanStatus = { code: SpanStatusCode.UNSET };
/** Never changed: replaced by the first of them. */
const noLinks: Link[] = [];
const noEvents: TimedEvent[] = [];

/** What a span has besides. It belongs to the span from its start on. */
export interface OwnPart {
  attributes?: Attributes;
  links?: Link[];
  /** Milliseconds since the epoch. */
  startTime?: number;
}

export class RoleSpan implements Span, ReadableSpan {
  name: string;
  declare readonly parentSpanContext?: SpanContext;
  readonly startMs: number;
  endMs = 0;
  /** Its own attributes. */
  keys: string[] = [];
  values: AttributeValue[] = [];
  links = noLinks;
  events = noEvents;
  status = unset;
  ended = false;
  droppedAttributesCount = 0;
  droppedEventsCount = 0;
  droppedLinksCount = 0;
  #common: SpanCommon;
  readonly #context: SpanContext;
  /** undefined: its start was given, and may be of another clock. */
  readonly #epochMs: number | undefined;
  /** All of them, once somebody has asked after its end. */
  #attributes: Attributes | undefined;

  constructor(common: SpanCommon, context: SpanContext, parent: SpanContext | undefined, own: OwnPart) {
    const { attributes, links, startTime } = own;
    this.#common = common;
    this.#context = context;
    this.name = common.name;
    if (parent) this.parentSpanContext = parent;
    if (links !== undefined && links.length > 0) this.links = links;
    for (const name in attributes) {
      const value = attributes[name];
      if (value === undefined || value === null || name === "") continue;
      // Without shared attributes it has some of its own already.
      if (this.#common === common) this.#add(name, value);
      else this.setAttribute(name, value);
    }
    this.startMs = startTime === undefined ? preciseNowMs() : toMs(startTime);
    this.#epochMs = startTime === undefined ? preciseEpochMs() : undefined;
  }

  get kind(): SpanKind {
    return this.#common.kind;
  }
  get resource(): Resource {
    return this.#common.resource;
  }
  get instrumentationScope(): Scope {
    return this.#common.scope;
  }
  get startTime(): HrTime {
    return toHrTime(this.startMs);
  }
  get endTime(): HrTime {
    return toHrTime(this.endMs);
  }
  get duration(): HrTime {
    return toHrTime(this.ended ? this.endMs - this.startMs : 0);
  }
  /** Of a span that has ended always the same object. */
  get attributes(): Attributes {
    if (this.#attributes) return this.#attributes;
    const all = { ...this.#common.attributes };
    for (const [at, name] of this.keys.entries()) all[name] = this.values[at];
    if (this.ended) this.#attributes = all;
    return all;
  }

  spanContext(): SpanContext {
    return this.#context;
  }

  /** The value of an attribute that it does not share. */
  own(name: string): AttributeValue | undefined {
    return this.values[this.keys.indexOf(name)];
  }

  setAttribute(name: string, value: AttributeValue | undefined): this {
    if (value === undefined || value === null || name === "" || this.#isOver()) return this;
    const at = this.keys.indexOf(name);
    if (at >= 0) this.values[at] = value;
    else this.#add(name, value);
    return this;
  }

  setAttributes(attributes: Attributes): this {
    for (const name in attributes) this.setAttribute(name, attributes[name]);
    return this;
  }

  #add(name: string, value: AttributeValue): void {
    const { attributes, count } = this.#common;
    if (Object.hasOwn(attributes, name)) {
      this.keys.unshift(...Object.keys(attributes));
      this.values.unshift(...Object.values(attributes as Record<string, AttributeValue>));
      this.#common = this.#common.bare();
      this.values[this.keys.indexOf(name)] = value;
    } else if (count + this.keys.length < maxCount) {
      this.keys.push(name);
      this.values.push(value);
    } else this.droppedAttributesCount += 1;
  }

  addEvent(name: string, attributesOrTime?: Attributes | TimeInput, time?: TimeInput): this {
    if (this.#isOver()) return this;
    const isTime = isTimeInput(attributesOrTime);
    const given = isTime ? attributesOrTime : time;
    const kept = this.events.slice(-(maxCount - 1));
    this.droppedEventsCount += this.events.length - kept.length;
    const attributes = isTime ? {} : sanitizeAttributes(attributesOrTime);
    const at = given === undefined ? toHrTime(this.#nowMs()) : toHrTime(toMs(given));
    this.events = [...kept, { name, attributes, time: at, droppedAttributesCount: 0 }];
    return this;
  }

  addLink(link: Link): this {
    if (this.#isOver()) return this;
    const kept = this.links.slice(-(maxCount - 1));
    this.droppedLinksCount += this.links.length - kept.length;
    this.links = [...kept, link];
    return this;
  }

  addLinks(links: Link[]): this {
    for (const link of links) this.addLink(link);
    return this;
  }

  setStatus({ code, message }: SpanStatus): this {
    if (this.#isOver() || code === SpanStatusCode.UNSET || this.status.code === SpanStatusCode.OK) return this;
    this.status = code === SpanStatusCode.ERROR && message !== undefined ? { code, message } : { code };
    return this;
  }

  updateName(name: string): this {
    if (!this.#isOver()) this.name = name;
    return this;
  }

  recordException(exception: Exception, time?: TimeInput): void {
    const { type, message, stack } = toFailure(exception);
    const told: Attributes = { [key.exceptionType]: type, [key.exceptionMessage]: message };
    this.addEvent("exception", stack === undefined ? told : { ...told, [key.exceptionStacktrace]: stack }, time);
  }

  end(endTime?: TimeInput): void {
    if (this.#isOver()) return;
    // What began by the monotonic clock ends by it.
    const endMs = endTime === undefined ? this.#nowMs() : toMs(endTime);
    this.endMs = Math.max(this.startMs, endMs);
    if (endMs < this.startMs) diag.warn(`the span "${this.name}" ended before it started`);
    this.ended = true;
    this.#common.onEnd(this);
  }

  isRecording(): boolean {
    return !this.ended;
  }

  /** As it leaves, its secrets masked; once it has ended. */
  encode(): EncodedSpan {
    const { blocks, redaction, name } = this.#common;
    const { keys, values } = this;
    for (let at = 0; at < keys.length; at++) values[at] = redaction.redactAttribute(keys[at] ?? "", values[at] ?? "");
    for (const event of this.events) event.attributes &&= redaction.redactAttributes(event.attributes);
    return encodePrepared(this, blocks, this.name !== name);
  }

  #nowMs(): number {
    return this.#epochMs === undefined ? preciseNowMs() : this.#epochMs + performance.now();
  }

  #isOver(): boolean {
    if (this.ended) diag.warn(`the span "${this.name}" is changed after its end`);
    return this.ended;
  }
}

function toMs(time: TimeInput): number {
  if (typeof time === "number" && time > performance.now()) return time;
  const [seconds, nanos] = timeInputToHrTime(time);
  return seconds * 1000 + nanos / 1e6;
}
