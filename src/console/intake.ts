/**
 * What was received, on its way into the file: a bounded queue that is written in small steps, so that queries and
 * receipts come between. Promises that no sender ever waits for the disk: what finds the queue full is dropped, and
 * counted; what cannot be written is dropped too.
 */

import type { Clock } from "../clock.ts";
import { toFailure } from "../errors.ts";
import type { Logger } from "../telemetry/log.ts";
import { createTrouble } from "../telemetry/trouble.ts";
import { createIntakeQueue, type QueueLimits } from "./intake-queue.ts";
import { createTally, type IntakeCount, type Received } from "./intake-tally.ts";
import type { ReceiverSink } from "./receiver.ts";
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
  /** Writes what has waited longest, for a question that is about to be asked: bounded, as a step is. */
  catchUp(): void;
  /** Writes what waits, and ends. */
  stop(): void;
}

/** Two seconds of a system at full speed. */
const maxWaiting: QueueLimits = { items: 50_000, bytes: 64 * 1024 * 1024 };
/** About 20 ms of writing; and by so much at most the file is larger than its limit. */
const perStep: QueueLimits = { items: 1000, bytes: 4 * 1024 * 1024 };
const stepEveryMs = 50;
const pruneEveryMs = 1000;
/** Together more than a step writes. */
const prunesPerStep = 3;

export interface IntakeDeps {
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
  const nowMs = (): number => clock.nowMs();
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

  const take = (items: Received[], bytes: number): void => {
    const over = queue.push(items, bytes);
    tally.add(over, "queue_full");
    if (over.length > 0) full.met({ dropped: tally.sums().dropped });
    else full.passed();
  };

  /** True when there is more to remove. */
  const prune = (): boolean => {
    try {
      let isMore = true;
      for (let count = 0; isMore && count < prunesPerStep; count++) isMore = file.prune(limits, nowMs());
      return isMore;
    } catch (error) {
      broken.met({ error: toFailure(error) });
      return false;
    }
  };

  const isOver = (): boolean => {
    try {
      return file.usedBytes() > limits.maxBytes;
    } catch {
      // The write that follows tells of it.
      return false;
    }
  };

  const write = (): void => {
    const items = queue.take(perStep);
    if (items.length === 0) return;
    if (isDiskLow()) {
      tally.add(items, "disk_full");
      broken.met({ reason: "the disk is nearly full", dropped: tally.sums().dropped });
      return;
    }
    try {
      const spans = items.flatMap((item) => ("span" in item ? [item.span] : []));
      const logs = items.flatMap((item) => ("log" in item ? [item.log] : []));
      const tooLarge = file.add(spans, logs, nowMs());
      tally.count("spans", "too_large", tooLarge.spans);
      tally.count("logs", "too_large", tooLarge.logs);
      tally.count("spans", undefined, spans.length - tooLarge.spans);
      tally.count("logs", undefined, logs.length - tooLarge.logs);
      broken.passed();
      // At once, or a storm would fill the disk before its turn came.
      prune();
    } catch (error) {
      const failure = toFailure(error);
      tally.add(items, failure.type);
      broken.met({ error: failure, dropped: tally.sums().dropped });
    }
  };

  const step = (): void => {
    if (queue.length() === 0) return;
    // Small rows do not make room for large ones as fast as those come.
    if (isOver()) prune();
    if (!isOver()) write();
  };

  const work = async (): Promise<void> => {
    let prunedAtMs = Number.NEGATIVE_INFINITY;
    while (!stopping.signal.aborted) {
      step();
      if (nowMs() - prunedAtMs >= pruneEveryMs && !prune()) prunedAtMs = nowMs();
      await clock.sleep(queue.length() > 0 ? 0 : stepEveryMs, stopping.signal);
    }
  };
  void work();

  return {
    sink: {
      spans: (spans, bytes) => {
        // It belongs to no trace: nobody could ask for it.
        const whole = spans.filter(({ traceId, spanId }) => isTraceId(traceId) && spanId.length === spanIdChars);
        tally.count("spans", "no_ids", spans.length - whole.length);
        take(
          whole.map((span) => ({ span })),
          bytes,
        );
      },
      logs: (logs, bytes) => {
        const own = logs.map((log) => (isTraceId(log.traceId) ? log : { ...log, traceId: undefined }));
        take(
          own.map((log) => ({ log })),
          bytes,
        );
      },
    },
    isFull: () => queue.isFull(),
    figures: () => ({ ...tally.sums(), waiting: queue.length() }),
    counts: () => tally.counts(),
    catchUp: step,
    stop: () => {
      stopping.abort();
      while (queue.length() > 0) write();
    },
  };
}

/** Hex; what has another length is no id (trace.proto: 16 and 8 bytes). */
const traceIdChars = 32;
const spanIdChars = 16;

function isTraceId(id: string | undefined): boolean {
  return id?.length === traceIdChars;
}
