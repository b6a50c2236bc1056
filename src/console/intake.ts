/**
 * What was received, on its way into the file: a bounded queue that is written in small steps, so that queries and
 * receipts come between; and the counts of what became of it. Promises that no sender waits for the disk: what finds the
 * queue full is dropped and counted, and so is what cannot be written.
 */

import type { Clock } from "../limits/clock.ts";
import type { Logger } from "../telemetry/logs/log.ts";
import { consoleInstruments } from "../telemetry/metrics/instruments.ts";
import type { Meter } from "../telemetry/metrics/meter.ts";
import { createTrouble, type Trouble } from "../telemetry/trouble.ts";
import { toFailure } from "../words/errors.ts";
import { type Batch, createIntakeQueue, type QueueLimits, type Taken, takeLogs, takeSpans } from "./batch.ts";
import type { ReceiverSink } from "./receiver.ts";
import { maxLogBytes } from "./telemetry-database.ts";
import type { FileLimits, TelemetryFile } from "./telemetry-file.ts";

/** Spans and log records, since the start. */
export interface IntakeFigures {
  kept: number;
  dropped: number;
  waiting: number;
}

export interface Intake {
  sink: ReceiverSink;
  /** No room for more: the door may refuse a body without reading it. */
  isFull(): boolean;
  figures(): IntakeFigures;
  /** The same by signal and reason. */
  counts(): IntakeCount[];
  /** Writes what has waited longest, before a query: bounded, as a step is. */
  catchUp(): void;
  /** Writes what waits, and ends. */
  stop(): void;
}

/** Some seconds of a system at full speed. */
const maxWaiting: QueueLimits = { items: 50_000, bytes: 64 * 1024 * 1024 };
/** Some 20 ms of writing, for which a question may have to wait. */
const mostPerStep: QueueLimits = { items: 5000, bytes: 2 * 1024 * 1024 };
/** What these take while they are written: they stand in SQLite's log and in the file, with their index. */
const roomFor = (bytes: number): number => 2.2 * bytes + maxLogBytes;
const stepEveryMs = 250;
const pruneEveryMs = 1000;
/** Together more than a step writes. */
const prunesPerStep = 3;

interface IntakeDeps {
  file: TelemetryFile;
  limits: FileLimits;
  /** The rest of the disk is for tasks. */
  isDiskLow(): boolean;
  clock: Clock;
  log: Logger;
}

export function createIntake({ file, limits, isDiskLow, clock, log }: IntakeDeps): Intake {
  const queue = createIntakeQueue(maxWaiting);
  const tally = createTally();
  const stopping = new AbortController();
  // A small file must not be emptied for one step.
  const perStep = { ...mostPerStep, bytes: Math.min(mostPerStep.bytes, limits.maxBytes / 16) };
  const nowMs = (): number => clock.nowMs();
  const { full, broken } = createTroubles(log, () => clock.monotonicMs());

  const take = ({ batch, refused }: Taken): void => {
    for (const [reason, count] of Object.entries(refused)) tally.count(batch.signal, reason, count);
    if (batch.items === 0) return;
    if (queue.push(batch)) full.passed();
    else {
      tally.count(batch.signal, "queue_full", batch.items);
      full.met({ dropped: tally.sums().dropped });
    }
  };

  const count = (batches: readonly Batch[], reason: string | undefined): void => {
    for (const { signal, items } of batches) tally.count(signal, reason, items);
  };

  /** True when there is more to remove. `bytes`: of what is to come. */
  const prune = (bytes: number): boolean => {
    try {
      const room = { ...limits, maxBytes: limits.maxBytes - roomFor(bytes) };
      let isMore = true;
      for (let time = 0; isMore && time < prunesPerStep; time++) isMore = file.prune(room, nowMs());
      return isMore;
    } catch (error) {
      broken.met({ error: toFailure(error) });
      return false;
    }
  };

  const hasRoom = (bytes: number): boolean => {
    try {
      // What is too large for any file gets an empty one.
      return file.usedBytes() + roomFor(bytes) <= limits.maxBytes || file.isEmpty();
    } catch {
      // The write that follows reports it.
      return true;
    }
  };

  const write = (batches: readonly Batch[]): void => {
    queue.remove(batches.length);
    if (isDiskLow()) {
      count(batches, "disk_full");
      broken.met({ reason: "the disk is nearly full", dropped: tally.sums().dropped });
      return;
    }
    try {
      file.add(batches, nowMs());
      count(batches, undefined);
      broken.passed();
    } catch (error) {
      const failure = toFailure(error);
      count(batches, failure.type);
      broken.met({ error: failure, dropped: tally.sums().dropped });
    }
  };

  const step = (): void => {
    const batches = queue.next(perStep);
    if (batches.length === 0) return;
    const bytes = batches.reduce((sum, { request }) => sum + request.length, 0);
    if (!hasRoom(bytes)) prune(bytes);
    if (hasRoom(bytes)) write(batches);
  };

  const work = async (): Promise<void> => {
    let prunedAtMs = Number.NEGATIVE_INFINITY;
    while (!stopping.signal.aborted) {
      step();
      if (clock.monotonicMs() - prunedAtMs >= pruneEveryMs && !prune(0)) prunedAtMs = clock.monotonicMs();
      await clock.sleep(queue.items() > 0 ? 0 : stepEveryMs, stopping.signal);
    }
  };
  void work();

  return {
    sink: { spans: (request) => take(takeSpans(request)), logs: (request) => take(takeLogs(request)) },
    isFull: () => queue.isFull(),
    figures: () => ({ ...tally.sums(), waiting: queue.items() }),
    counts: () => tally.counts(),
    catchUp: step,
    stop: () => {
      stopping.abort();
      while (queue.items() > 0) write(queue.next(perStep));
    },
  };
}

function createTroubles(log: Logger, nowMs: () => number): { full: Trouble; broken: Trouble } {
  const full = createTrouble({
    log,
    nowMs,
    msg: "the console drops telemetry: more comes than it can keep",
    over: "the console keeps all telemetry again",
  });
  const broken = createTrouble({
    log,
    nowMs,
    msg: "the console cannot write its file",
    over: "the console writes its file again",
  });
  return { full, broken };
}

interface IntakeCount {
  signal: Batch["signal"];
  /** Why it was dropped, of low cardinality; undefined: it was kept. */
  reason: string | undefined;
  count: number;
}

interface Tally {
  count(signal: Batch["signal"], reason: string | undefined, count: number): void;
  sums(): { kept: number; dropped: number };
  counts(): IntakeCount[];
}

function createTally(): Tally {
  const counts: IntakeCount[] = [];
  const count: Tally["count"] = (signal, reason, count) => {
    if (count === 0) return;
    const known = counts.find((each) => each.signal === signal && each.reason === reason);
    if (known) known.count += count;
    else counts.push({ signal, reason, count });
  };
  const sumOf = (isKept: boolean): number =>
    counts.reduce((sum, { reason, count }) => sum + ((reason === undefined) === isKept ? count : 0), 0);
  return {
    count,
    sums: () => ({ kept: sumOf(true), dropped: sumOf(false) }),
    counts: () => counts.map((each) => ({ ...each })),
  };
}

/** `otel.component.type`: a name of our own, as the conventions ask for components that are not the SDK's. */
const componentType = "console";

export function observeIntake(meter: Meter, intake: Pick<Intake, "counts">): void {
  for (const signal of ["spans", "logs"] as const) {
    meter.observe(consoleInstruments[signal], (observe) => {
      for (const each of intake.counts()) if (each.signal === signal) observe(each.count, componentType, each.reason);
    });
  }
}
