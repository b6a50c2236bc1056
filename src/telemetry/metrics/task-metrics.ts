/**
 * What the roles measure of tasks, queues, threads, breakers and the store, and the supervisor of the process. The
 * instruments' table is instruments.ts.
 */

import type { SpanContext } from "@opentelemetry/api";
import { openFileCount, openFileLimit } from "../../host/open-files.ts";
import { residentBytes } from "../../host/runtime.ts";
import type { Checks, Connections } from "../../http/health.ts";
import { type Breaker, type BreakerState, createBreaker } from "../../limits/breaker.ts";
import type { QueueDepth } from "../../queue/queue.ts";
import type { StoreFigures } from "../../store/ports/sends.ts";
import { type AttemptOutcome, type DeadReason, liveStatuses } from "../../words/task.ts";
import { elapsedMs } from "../logs/log.ts";
import type { Telemetry } from "../telemetry.ts";
import { instruments } from "./instruments.ts";
import type { Meter } from "./meter.ts";
import { createBoundedLabel, type Label } from "./series.ts";

type ProcessedStatus = "submitted" | "succeeded" | "failed" | "retried" | "dead" | "canceled";

/**
 * `lost`: another worker has the task, or it is not due; `ended`: its message was of no use any more; `no_handler`: it
 * waits for a worker that has its handler.
 */
export type ClaimOutcome = "won" | "lost" | "ended" | "no_handler";

/** Where a duration was measured: the span that its exemplar leads to. */
type Measured = SpanContext | undefined;

/** What is measured of the tasks of one type, whose series are found once. Times in milliseconds. */
interface TypeMetrics {
  /** Counts one task (or, for `failed` and `retried`, one attempt). */
  processed(status: ProcessedStatus): void;
  /** How long one attempt's handler took. */
  processingDuration(status: "succeeded" | "failed", durationMs: number, span: Measured): void;
  dead(reason: DeadReason): void;
  /** How long an attempt was due when it began. */
  queueWait(waitMs: number, span: Measured): void;
  /** From a task's creation or redrive to its end. */
  endToEnd(durationMs: number, span: Measured): void;
  attempted(outcome: AttemptOutcome): void;
}

/** `taskType`: one that is registered, or `_other`. Times in milliseconds. */
export interface TaskMetrics {
  forType(taskType: string): TypeMetrics;
  processed(taskType: string, status: ProcessedStatus): void;
  processingDuration(taskType: string, status: "succeeded" | "failed", durationMs: number, span: Measured): void;
  dead(taskType: string, reason: DeadReason): void;
  queueWait(taskType: string, waitMs: number, span: Measured): void;
  endToEnd(taskType: string, durationMs: number, span: Measured): void;
  attempted(taskType: string, outcome: AttemptOutcome): void;
  claimed(result: ClaimOutcome): void;
  /** Counts dead letters that a redrive brought back, or could not. */
  redriven(result: "moved" | "failed", count: number): void;
}

/** With every status, outcome and reason, their series stay below the limit of an instrument. */
const maxTaskTypes = 200;

export function createTaskMetrics(meter: Meter): TaskMetrics {
  const typeOf = createBoundedLabel({ max: maxTaskTypes, rest: "_other" });
  const typed = createTypedMetrics(meter);
  const claims = meter.counter(instruments.taskClaims);
  const redrives = meter.counter(instruments.taskRedrives);
  const types = new Map<Label, TypeMetrics>();
  const forType = (taskType: string): TypeMetrics => {
    const known = types.get(taskType);
    if (known) return known;
    const label = typeOf(taskType);
    const made = types.get(label) ?? typed(label);
    types.set(label, made);
    return made;
  };
  return {
    forType,
    processed: (taskType, status) => forType(taskType).processed(status),
    processingDuration: (taskType, status, ms, span) => forType(taskType).processingDuration(status, ms, span),
    dead: (taskType, reason) => forType(taskType).dead(reason),
    queueWait: (taskType, ms, span) => forType(taskType).queueWait(ms, span),
    endToEnd: (taskType, ms, span) => forType(taskType).endToEnd(ms, span),
    attempted: (taskType, outcome) => forType(taskType).attempted(outcome),
    claimed: (result) => claims.add(1, result),
    redriven: (result, count) => {
      if (count > 0) redrives.add(count, result);
    },
  };
}

function createTypedMetrics(meter: Meter): (label: Label) => TypeMetrics {
  const processed = meter.counter(instruments.tasksProcessed);
  const duration = meter.histogram(instruments.processingDuration);
  const dead = meter.counter(instruments.tasksDead);
  const queueWait = meter.histogram(instruments.queueWait);
  const endToEnd = meter.histogram(instruments.endToEnd);
  const attempts = meter.counter(instruments.taskAttempts);
  return (label) => {
    const processedOf = remembered((status: ProcessedStatus) => processed.series([label, status]));
    const durationOf = remembered((status: "succeeded" | "failed") => duration.series([label, status]));
    const attemptsOf = remembered((outcome: AttemptOutcome) => attempts.series([label, outcome]));
    const waitOf = remembered((_: "all") => queueWait.series([label]));
    const endToEndOf = remembered((_: "all") => endToEnd.series([label]));
    return {
      processed: (status) => processedOf(status).add(1),
      processingDuration: (status, ms, span) => durationOf(status).record(ms / 1000, span),
      dead: (reason) => dead.add(1, label, reason),
      // Clocks of two processes may differ: nothing began before it was due.
      queueWait: (ms, span) => waitOf("all").record(Math.max(0, ms) / 1000, span),
      endToEnd: (ms, span) => endToEndOf("all").record(Math.max(0, ms) / 1000, span),
      attempted: (outcome) => attemptsOf(outcome).add(1),
    };
  };
}

/** Finds each series when it is first used: one that was not has no points. */
function remembered<K, S>(find: (key: K) => S): (key: K) => S {
  const found = new Map<K, S>();
  return (key) => {
    const known = found.get(key);
    if (known !== undefined) return known;
    const series = find(key);
    found.set(key, series);
    return series;
  };
}

/** What became of a tick; `triggered` of none: a caller triggered the run. */
type TickResult = "fired" | "skipped" | "missed" | "triggered";

export interface ScheduleMetrics {
  ticked(result: TickResult, count?: number): void;
  /** How long after its tick a run was made. */
  late(ms: number, span: Measured): void;
}

export function createScheduleMetrics(meter: Meter): ScheduleMetrics {
  const ticks = meter.counter(instruments.scheduleTicks);
  const lateness = meter.histogram(instruments.scheduleLateness);
  return {
    ticked: (result, count = 1) => ticks.add(count, result),
    // The clock of the process that made the run may be behind.
    late: (ms, span) => lateness.record(Math.max(0, ms) / 1000, span),
  };
}

/** Observes how many messages a queue holds. A broker that is away gives no points. */
export function observeQueueDepth(meter: Meter, queue: { name: string; depth(): Promise<QueueDepth> }): void {
  meter.observe(instruments.queueDepth, async (observe) => {
    const depth = await queue.depth();
    observe(depth.visible, queue.name, "visible");
    observe(depth.inFlight, queue.name, "in_flight");
    observe(depth.delayed, queue.name, "delayed");
  });
}

const breakerValues: Record<BreakerState, number> = { closed: 0, half_open: 1, open: 2 };

function observeBreaker(meter: Meter, breaker: Pick<Breaker, "name" | "state">): void {
  meter.observe(instruments.breakerState, (observe) => observe(breakerValues[breaker.state()], breaker.name));
}

/** Observes what the store holds: one question for both instruments. A store that is away gives no points. */
export function observeStore(
  meter: Meter,
  figures: () => Promise<StoreFigures>,
  queues: { tasks: string; deadLetters: string },
): void {
  meter.observe(instruments.tasksActive, async (observe) => {
    const { active } = await figures();
    for (const status of liveStatuses) observe(active[status], status);
  });
  meter.observe(instruments.oldestAge, async (observe) => {
    const { oldestDueMs, oldestDeadMs } = await figures();
    const nowMs = Date.now();
    const ageOf = (sinceMs: number | null): number => (sinceMs === null ? 0 : Math.max(0, nowMs - sinceMs) / 1000);
    observe(ageOf(oldestDueMs), queues.tasks);
    observe(ageOf(oldestDeadMs), queues.deadLetters);
  });
}

/** Observes a role's connections to the store. */
export function observeConnections(meter: Meter, pool: string, look: () => Connections): void {
  meter.observe(instruments.databaseConnections, (observe) => {
    const { active, idle } = look();
    observe(active, pool, "used");
    observe(idle, pool, "idle");
  });
  meter.observe(instruments.databaseConnectionsMax, (observe) => observe(look().max, pool));
}

export type ThreadState = "idle" | "busy" | "stuck" | "condemned";

export function observeWorker(
  meter: Meter,
  worker: { threads(): Record<ThreadState, number>; tasksInFlight(): number },
): void {
  meter.observe(instruments.workerThreads, (observe) => {
    for (const [state, count] of Object.entries(worker.threads())) observe(count, state);
  });
  meter.observe(instruments.tasksInFlight, (observe) => observe(worker.tasksInFlight()));
}

/** The other sides that a role may have, in words. */
const sides = { "task-service": "the task service", queue: "the queue", store: "the store" } as const;

/** The circuit breakers of one role, as log lines, a metric and a part of the health. */
export interface RoleBreakers {
  create(name: keyof typeof sides): Breaker;
  checks(): Checks;
}

export function createRoleBreakers(telemetry: Telemetry): RoleBreakers {
  const breakers: Breaker[] = [];
  const log = telemetry.log.module("breaker");
  return {
    create: (name) => {
      let openedAtMs = 0;
      const breaker = createBreaker({
        name,
        side: sides[name],
        onOpened: (error) => {
          openedAtMs = performance.now();
          log.warn("circuit breaker opened", { breaker: name, error });
        },
        onClosed: () => log.info("circuit breaker closed", { breaker: name, elapsed_ms: elapsedMs(openedAtMs) }),
      });
      observeBreaker(telemetry.meter, breaker);
      breakers.push(breaker);
      return breaker;
    },
    checks: () => {
      // One on trial has not been closed yet.
      const open = breakers.filter((breaker) => breaker.state() !== "closed").length;
      return { circuit_breakers: { status: open > 0 ? "degraded" : "healthy", open_breakers: open } };
    },
  };
}

/** Observes what the process as a whole uses: once for each process, by its supervisor. */
export function observeProcess(meter: Meter): void {
  meter.observe(instruments.processCpuTime, (observe) => {
    const { user, system } = process.cpuUsage();
    observe(user / 1e6, "user");
    observe(system / 1e6, "system");
  });
  meter.observe(instruments.processMemory, (observe) => observe(residentBytes()));
  meter.observe(instruments.processOpenFiles, (observe) => observe(openFileCount()));
  meter.observe(instruments.processOpenFileLimit, (observe) => {
    if (Number.isFinite(openFileLimit())) observe(openFileLimit());
  });
  meter.observe(instruments.processUptime, (observe) => observe(process.uptime()));
}
