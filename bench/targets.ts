/** What is wanted of the figures, in one table, and what a run says of it. Pure. */

import { median, summary } from "./statistics.ts";

interface Wanted {
  what: string;
  value: number;
  unit: string;
  isLeast: boolean;
}

const atLeast = (what: string, value: number, unit: string): Wanted => ({ what, value, unit, isLeast: true });
const atMost = (what: string, value: number, unit: string): Wanted => ({ what, value, unit, isLeast: false });

/** Of Throughline. "to": the ratio to another's figure in the same round. */
const wanted = {
  rateToEverysec: atLeast("tasks/s, to BullMQ's with appendfsync everysec", 1.25, "×"),
  rateToAlways: atLeast("tasks/s, to BullMQ's with appendfsync always", 1.5, "×"),
  rateToElasticMq: atLeast("tasks/s, to sqs-consumer's on ElasticMQ", 5, "×"),
  rateToEmbedded: atLeast("tasks/s, to sqs-consumer's on the embedded broker", 4, "×"),
  cpuToEverysec: atMost("CPU of a task, to BullMQ's with appendfsync everysec", 0.8, "×"),
  memoryToEverysec: atMost("memory under load, to BullMQ's with appendfsync everysec", 0.8, "×"),
  acceptsToCommits: atLeast("accepts/s, to those of one commit per request", 10, "×"),
  telemetry: atMost("telemetry's share of the rate", 15, "%"),
  pickupP50: atMost("submit to handler start, idle, p50, to BullMQ's", 1, "×"),
  pickupP99: atMost("submit to handler start, idle, p99, to BullMQ's", 1, "×"),
  backlog: atLeast("tasks/s behind a backlog, to those with nothing waiting", 0.9, "×"),
  largePayload: atMost("CPU of a task with 255 KiB", 2.5, "ms"),
  ready: atMost("start to ready", 400, "ms"),
  idleMemory: atMost("memory, idle", 150, "MB"),
  overload: atLeast("tasks/s during the overload, to the peak", 0.95, "×"),
  growth: atMost("growth of memory", 1, "% an hour"),
  consoleRate: atLeast("tasks/s with the console, to those without", 0.9, "×"),
  consoleAnswer: atMost("an answer of the console under load, p99", 200, "ms"),
  search: atMost("a search by task id, p99", 100, "ms"),
} as const satisfies Record<string, Wanted>;

export interface Target {
  target: string;
  wanted: string;
  measured: string;
  /** undefined: who it is compared with was not there. */
  isMet: boolean | undefined;
}

/** Of figures of several rounds their median counts. `how` it was measured, when there are several ways. */
export function judge(name: keyof typeof wanted, values: readonly number[], how?: string): Target {
  const { what, value, unit, isLeast } = wanted[name];
  const middle = median(values);
  const isThere = !Number.isNaN(middle);
  return {
    target: how === undefined ? what : `${what}, ${how}`,
    wanted: `${isLeast ? "≥" : "≤"} ${value} ${unit}`,
    measured: isThere ? `${summary(values)} ${unit}` : "–",
    isMet: isThere ? (isLeast ? middle >= value : middle <= value) : undefined,
  };
}
