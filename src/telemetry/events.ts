/**
 * The domain events of tasks: one for each change of a task's state that is committed. A role publishes those that it
 * makes: as a log line, in two metrics, and in the figures of `/metrics/events`, where all roles of a process stand
 * together.
 */

import { instruments } from "./metrics/instruments.ts";
import type { Meter } from "./metrics/meter.ts";
import { preciseNowMs } from "./spans/span-start.ts";

/** `task.failed`: its attempts are used up; an attempt that another follows is `task.retried`. */
export const domainEvents = [
  "task.created",
  "task.started",
  "task.completed",
  "task.failed",
  "task.retried",
  "task.dead",
  "task.redriven",
  "task.canceled",
] as const;
type DomainEvent = (typeof domainEvents)[number];

/** What one role has published of one event since it started; plain, so that it can cross threads and be added up. */
interface EventFigures {
  count: number;
  lastAtMs: number;
  sumMs: number;
  maxMs: number;
  /** How many took about so long; see `bucketOf`. */
  buckets: number[];
}

export type EventsFigures = Record<DomainEvent, EventFigures>;

export interface Events {
  /** `committedAtMs`: the change's own time, as it stands in the timeline, taken just before its commit. */
  publish(event: DomainEvent, committedAtMs: number): void;
  figures(): EventsFigures;
}

/** `clock`: milliseconds since the epoch, with a fraction. */
export function createEvents(meter: Meter, clock = preciseNowMs): Events {
  const counter = meter.counter(instruments.taskEvents);
  const propagation = meter.histogram(instruments.eventPropagation);
  const all = toRecord(() => noFigures());
  const measures = new Map<DomainEvent, (latencyMs: number) => void>();
  /** Counts an event from its first one on. */
  const measureOf = (event: DomainEvent): ((latencyMs: number) => void) => {
    const [count, duration] = [counter.series([event]), propagation.series([event])];
    const measure = (latencyMs: number): void => {
      count.add(1);
      duration.record(latencyMs / 1000, undefined);
    };
    measures.set(event, measure);
    return measure;
  };

  return {
    publish: (event, committedAtMs) => {
      const nowMs = clock();
      const latencyMs = Math.max(0, nowMs - committedAtMs);
      (measures.get(event) ?? measureOf(event))(latencyMs);
      const figures = all[event];
      const bucket = bucketOf(latencyMs);
      figures.count += 1;
      figures.lastAtMs = nowMs;
      figures.sumMs += latencyMs;
      figures.maxMs = Math.max(figures.maxMs, latencyMs);
      figures.buckets[bucket] = (figures.buckets[bucket] ?? 0) + 1;
    },
    figures: () => all,
  };
}

/** What `/metrics/events` answers. */
export interface EventsReport {
  events: Record<DomainEvent, EventReport>;
}

interface EventReport {
  count: number;
  /** RFC 3339; null when there was none, as are the latencies. */
  last_at: string | null;
  publish_latency_ms: { mean: number | null; p95: number | null; max: number | null };
}

/** The figures of all roles of a process as one report. */
export function toEventsReport(all: readonly EventsFigures[]): EventsReport {
  return { events: toRecord((event) => toReport(all.map((figures) => figures[event]).reduce(merge, noFigures()))) };
}

function toReport({ count, lastAtMs, sumMs, maxMs, buckets }: EventFigures): EventReport {
  if (count === 0) return { count, last_at: null, publish_latency_ms: { mean: null, p95: null, max: null } };
  const p95 = Math.min(maxMs, boundOf(quantileBucket(buckets, 0.95 * count)));
  return {
    count,
    last_at: new Date(lastAtMs).toISOString(),
    publish_latency_ms: { mean: toMicroseconds(sumMs / count), p95: toMicroseconds(p95), max: toMicroseconds(maxMs) },
  };
}

function merge(one: EventFigures, other: EventFigures): EventFigures {
  return {
    count: one.count + other.count,
    lastAtMs: Math.max(one.lastAtMs, other.lastAtMs),
    sumMs: one.sumMs + other.sumMs,
    maxMs: Math.max(one.maxMs, other.maxMs),
    buckets: one.buckets.map((count, bucket) => count + (other.buckets[bucket] ?? 0)),
  };
}

/** Each bucket's bound is a tenth above the one before, from 0.1 ms to almost two hours. */
const bucketCount = 190;
const smallestMs = 0.1;
const growth = 1.1;

function bucketOf(ms: number): number {
  if (ms <= smallestMs) return 0;
  return Math.min(bucketCount - 1, Math.ceil(Math.log(ms / smallestMs) / Math.log(growth)));
}

function boundOf(bucket: number): number {
  return smallestMs * growth ** bucket;
}

function quantileBucket(buckets: readonly number[], rank: number): number {
  let below = 0;
  return buckets.findIndex((count) => {
    below += count;
    return below >= rank;
  });
}

function noFigures(): EventFigures {
  return { count: 0, lastAtMs: 0, sumMs: 0, maxMs: 0, buckets: new Array<number>(bucketCount).fill(0) };
}

function toMicroseconds(ms: number): number {
  return Math.round(ms * 1000) / 1000;
}

function toRecord<T>(make: (event: DomainEvent) => T): Record<DomainEvent, T> {
  // Every event of the list, and so every key of the type.
  return Object.fromEntries(domainEvents.map((event) => [event, make(event)])) as Record<DomainEvent, T>;
}
