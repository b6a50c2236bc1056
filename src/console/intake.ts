/**
 * What was received, on its way into the file: a bounded queue that is written in small steps, so that queries and
 * receipts come between. Promises that no sender ever waits for the disk: what finds the queue full is dropped, and
 * counted; what cannot be written is dropped too.
 */

import type { Clock } from "../clock.ts";
import { toFailure } from "../errors.ts";
import type { Logger } from "../telemetry/log.ts";
import { createTrouble } from "../telemetry/trouble.ts";
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

/** Two seconds of a system at full speed, some 50 MB. */
const maxWaiting = 50_000;
/** About 20 ms of writing. */
const rowsPerStep = 1000;
const stepEveryMs = 50;
const pruneEveryMs = 1000;
/** Together more than a step writes. */
const prunesPerStep = 3;

export interface IntakeDeps {
  file: TelemetryFile;
  limits: FileLimits;
  clock: Clock;
  log: Logger;
}

export function createIntake({ file, limits, clock, log }: IntakeDeps): Intake {
  const waiting: Received[] = [];
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

  const take = (items: Received[]): void => {
    const room = Math.max(0, maxWaiting - waiting.length);
    for (const item of items.slice(0, room)) waiting.push(item);
    const over = items.length - room;
    if (over > 0) {
      tally.add(items.slice(room), "queue_full");
      full.met({ dropped: tally.sums().dropped });
    } else full.passed();
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

  const step = (): void => {
    const items = waiting.splice(0, rowsPerStep);
    if (items.length === 0) return;
    try {
      const spans = items.flatMap((item) => ("span" in item ? [item.span] : []));
      const logs = items.flatMap((item) => ("log" in item ? [item.log] : []));
      file.add(spans, logs, nowMs());
      tally.add(items, undefined);
      broken.passed();
      // At once, or a storm would fill the disk before its turn came.
      prune();
    } catch (error) {
      const failure = toFailure(error);
      tally.add(items, failure.type);
      broken.met({ error: failure, dropped: tally.sums().dropped });
    }
  };

  const work = async (): Promise<void> => {
    let prunedAtMs = Number.NEGATIVE_INFINITY;
    while (!stopping.signal.aborted) {
      step();
      if (nowMs() - prunedAtMs >= pruneEveryMs && !prune()) prunedAtMs = nowMs();
      await clock.sleep(waiting.length > 0 ? 0 : stepEveryMs, stopping.signal);
    }
  };
  void work();

  return {
    sink: {
      spans: (spans) => {
        // It belongs to no trace: nobody could ask for it.
        const [whole, idless] = partition(spans, ({ traceId, spanId }) => traceId !== "" && spanId !== "");
        tally.add(
          idless.map((span) => ({ span })),
          "no_ids",
        );
        take(whole.map((span) => ({ span })));
      },
      logs: (logs) => take(logs.map((log) => ({ log }))),
    },
    isFull: () => waiting.length >= maxWaiting,
    figures: () => ({ ...tally.sums(), waiting: waiting.length }),
    counts: () => tally.counts(),
    catchUp: step,
    stop: () => {
      stopping.abort();
      while (waiting.length > 0) step();
    },
  };
}

function partition<Item>(items: readonly Item[], isFirst: (item: Item) => boolean): [Item[], Item[]] {
  const { first = [], second = [] } = Object.groupBy(items, (item) => (isFirst(item) ? "first" : "second"));
  return [first, second];
}
