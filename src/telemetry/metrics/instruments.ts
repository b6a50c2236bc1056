/**
 * Every instrument, in one table: what measures is made from it, and docs/telemetry.md is held equal to it. Units are
 * UCUM's; no unit and no `total` in a name, Prometheus adds both. Names with dots, their labels and their buckets are
 * those of the OpenTelemetry semantic conventions 1.45; the rest is ours.
 */

import { key, metricKey, ownKey } from "../names.ts";

/** `observed_counter`, `up_down` and `gauge` are observed when metrics are collected; the others are recorded as it happens. */
export type InstrumentKind = "counter" | "histogram" | "observed_counter" | "up_down" | "gauge";

export interface Instrument<K extends InstrumentKind = InstrumentKind> {
  name: string;
  kind: K;
  /** UCUM; words in braces are for the reader; empty: a state, as a number. */
  unit: string;
  description: string;
  /** Attribute keys; one without a value on a series is left out there. */
  labels: readonly string[];
  /** Upper bounds, in the unit. */
  buckets?: readonly number[];
}

/** Advice of the conventions for HTTP, RPC and messaging. */
const callSeconds = [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10];
/** Advice of the conventions for databases. */
const databaseSeconds = [0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 10];
const publicationSeconds = [0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.5, 1, 5];
const handlerSeconds = [0.01, 0.05, 0.1, 0.5, 1, 5, 30];
/** From a task that finds an idle worker to one whose last attempt follows hours later. */
const waitSeconds = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 900, 3600];

const rpcLabels = [
  key.rpcSystemName,
  key.rpcMethod,
  key.rpcStatusCode,
  key.errorType,
  key.serverAddress,
  key.serverPort,
];
const messagingLabels = [
  key.messagingSystemName,
  key.messagingOperationName,
  key.messagingOperationType,
  key.messagingDestinationName,
  key.errorType,
];

export const instruments = {
  tasksProcessed: {
    name: "tasks_processed",
    kind: "counter",
    unit: "{task}",
    description: "Tasks submitted, succeeded, dead, canceled; attempts failed, retried",
    labels: [ownKey.taskType, "status"],
  },
  processingDuration: {
    name: "task_processing_duration",
    kind: "histogram",
    unit: "s",
    description: "Time a handler took for one attempt",
    labels: [ownKey.taskType, "status"],
    buckets: handlerSeconds,
  },
  tasksDead: {
    name: "tasks_dead",
    kind: "counter",
    unit: "{task}",
    description: "Tasks that became dead letters, by reason",
    labels: [ownKey.taskType, "reason"],
  },
  queueWait: {
    name: "task_queue_wait",
    kind: "histogram",
    unit: "s",
    description: "From when an attempt was due to its start",
    labels: [ownKey.taskType],
    buckets: waitSeconds,
  },
  endToEnd: {
    name: "task_end_to_end_duration",
    kind: "histogram",
    unit: "s",
    description: "From a task's creation, or its redrive, to its end as succeeded or dead",
    labels: [ownKey.taskType],
    buckets: waitSeconds,
  },
  taskAttempts: {
    name: "task_attempts",
    kind: "counter",
    unit: "{attempt}",
    description: "Attempts that ended, by outcome",
    labels: [ownKey.taskType, "outcome"],
  },
  taskClaims: {
    name: "task_claims",
    kind: "counter",
    unit: "{claim}",
    description: "Claims won; lost, or too early; of tasks that had ended; of tasks without a handler here",
    labels: ["result"],
  },
  taskRedrives: {
    name: "task_redrives",
    kind: "counter",
    unit: "{task}",
    description: "Dead letters that a redrive moved back, or that failed to come back",
    labels: ["result"],
  },
  scheduleTicks: {
    name: "schedule_ticks",
    kind: "counter",
    unit: "{tick}",
    description: "Ticks of schedules that made a run, were skipped or missed; runs made by hand",
    labels: ["result"],
  },
  scheduleLateness: {
    name: "schedule_lateness",
    kind: "histogram",
    unit: "s",
    description: "From a tick to the commit of its run",
    labels: [],
    buckets: waitSeconds,
  },
  taskEvents: {
    name: "task_events",
    kind: "counter",
    unit: "{event}",
    description: "Domain events that the role has published",
    labels: ["event"],
  },
  eventPropagation: {
    name: "task_event_propagation",
    kind: "histogram",
    unit: "s",
    description: "From the commit of a change to the publication of its event",
    labels: ["event"],
    buckets: publicationSeconds,
  },
  tasksActive: {
    name: "tasks_active",
    kind: "gauge",
    unit: "{task}",
    description: "Tasks that have not ended, by status, as the store has them",
    labels: ["status"],
  },
  oldestAge: {
    name: "task_oldest_age",
    kind: "gauge",
    unit: "s",
    description: "Age of the oldest task that is due and waits, and of the oldest dead letter; 0: there is none",
    labels: ["queue"],
  },
  queueDepth: {
    name: "sqs_queue_depth",
    kind: "gauge",
    unit: "{message}",
    description: "Messages of a queue, as the broker tells them",
    labels: ["queue", "state"],
  },
  workerThreads: {
    name: "worker_threads",
    kind: "gauge",
    unit: "{thread}",
    description: "Handler threads: idle, busy, stuck with a task that ignores its signal, condemned",
    labels: ["state"],
  },
  tasksInFlight: {
    name: "worker_tasks_in_flight",
    kind: "gauge",
    unit: "{task}",
    description: "Tasks that a worker has claimed and not settled",
    labels: [],
  },
  breakerState: {
    name: "circuit_breaker_state",
    kind: "gauge",
    unit: "",
    description: "Circuit breakers: 0 closed, 1 half-open, 2 open",
    labels: ["breaker"],
  },
  requestsRefused: {
    name: "requests_refused",
    kind: "counter",
    unit: "{request}",
    description: "Requests refused for who asked: unauthenticated, permission_denied, rate_limited",
    labels: ["reason"],
  },
  httpServerDuration: {
    name: "http.server.request.duration",
    kind: "histogram",
    unit: "s",
    description: "Duration of HTTP server requests",
    labels: [
      key.httpRequestMethod,
      key.urlScheme,
      key.httpRoute,
      key.httpResponseStatusCode,
      key.errorType,
      key.networkProtocolVersion,
    ],
    buckets: callSeconds,
  },
  httpServerActive: {
    name: "http.server.active_requests",
    kind: "up_down",
    unit: "{request}",
    description: "Number of active HTTP server requests",
    labels: [key.httpRequestMethod, key.urlScheme],
  },
  rpcServerDuration: {
    name: "rpc.server.call.duration",
    kind: "histogram",
    unit: "s",
    description: "Duration of incoming RPCs",
    labels: rpcLabels,
    buckets: callSeconds,
  },
  rpcClientDuration: {
    name: "rpc.client.call.duration",
    kind: "histogram",
    unit: "s",
    description: "Duration of outgoing RPCs",
    labels: rpcLabels,
    buckets: callSeconds,
  },
  messagingDuration: {
    name: "messaging.client.operation.duration",
    kind: "histogram",
    unit: "s",
    description: "Duration of send, receive, delete and change_visibility; of a receive, its wait too",
    labels: messagingLabels,
    buckets: callSeconds,
  },
  messagingProcessDuration: {
    name: "messaging.process.duration",
    kind: "histogram",
    unit: "s",
    description: "Duration of processing a message",
    labels: messagingLabels,
    buckets: callSeconds,
  },
  messagesSent: {
    name: "messaging.client.sent.messages",
    kind: "counter",
    unit: "{message}",
    description: "Messages that were to be sent to the broker",
    labels: messagingLabels,
  },
  messagesConsumed: {
    name: "messaging.client.consumed.messages",
    kind: "counter",
    unit: "{message}",
    description: "Messages that the broker delivered",
    labels: messagingLabels,
  },
  databaseDuration: {
    name: "db.client.operation.duration",
    kind: "histogram",
    unit: "s",
    description: "Duration of database operations",
    labels: [
      key.dbSystemName,
      key.dbNamespace,
      key.dbCollectionName,
      key.dbOperationName,
      key.dbResponseStatusCode,
      key.errorType,
      key.serverAddress,
    ],
    buckets: databaseSeconds,
  },
  databaseConnections: {
    name: "db.client.connection.count",
    kind: "up_down",
    unit: "{connection}",
    description: "Connections to the store: used while one of its calls has no answer, else idle",
    labels: [metricKey.poolName, metricKey.connectionState],
  },
  databaseConnectionsMax: {
    name: "db.client.connection.max",
    kind: "up_down",
    unit: "{connection}",
    description: "Connections to the store that there may be at once",
    labels: [metricKey.poolName],
  },
  storeLogSize: {
    name: "store_wal_size",
    kind: "up_down",
    unit: "By",
    description: "Size of the write-ahead log of the SQLite store",
    labels: [],
  },
  brokerMemory: {
    name: "embedded_queue_memory",
    kind: "up_down",
    unit: "By",
    description: "Memory that the messages of the embedded queue take",
    labels: [],
  },
  brokerMemoryLimit: {
    name: "embedded_queue_memory_limit",
    kind: "up_down",
    unit: "By",
    description: "Memory that the messages of the embedded queue may take; further ones are refused",
    labels: [],
  },
  brokerRefused: {
    name: "embedded_queue_refused",
    kind: "observed_counter",
    unit: "{message}",
    description: "Messages that the embedded queue had no room for; their tasks are sent later",
    labels: [],
  },
  processCpuTime: {
    name: "process.cpu.time",
    kind: "observed_counter",
    unit: "s",
    description: "CPU time of the process, all its threads together",
    labels: [metricKey.cpuMode],
  },
  processMemory: {
    name: "process.memory.usage",
    kind: "up_down",
    unit: "By",
    description: "Physical memory of the process",
    labels: [],
  },
  processOpenFiles: {
    name: "process.unix.file_descriptor.count",
    kind: "up_down",
    unit: "{file_descriptor}",
    description: "Open file descriptors of the process",
    labels: [],
  },
  processOpenFileLimit: {
    name: "open_files_limit",
    kind: "up_down",
    unit: "{file_descriptor}",
    description: "File descriptors that the process may have open",
    labels: [],
  },
  processUptime: {
    name: "process.uptime",
    kind: "gauge",
    unit: "s",
    description: "Time that the process has been running",
    labels: [],
  },
  logLinesDropped: {
    name: "log_lines_dropped",
    kind: "observed_counter",
    unit: "{line}",
    description: "Log lines that stdout did not take, because its reader stalled or left, or the disk is full",
    labels: [],
  },
} as const satisfies Record<string, Instrument>;

/**
 * Those of the console, which a process may be without: under the names by which SDKs count their own processors
 * (semantic conventions 1.45, "OpenTelemetry SDK metrics"), so that what is dropped here is noticed by the same rules.
 */
export const consoleInstruments = {
  spans: {
    name: "otel.sdk.processor.span.processed",
    kind: "observed_counter",
    unit: "{span}",
    description: "Spans that the console was done with: kept, or, with an error type, dropped",
    labels: [metricKey.componentType, key.errorType],
  },
  logs: {
    name: "otel.sdk.processor.log.processed",
    kind: "observed_counter",
    unit: "{log_record}",
    description: "Log records that the console was done with: kept, or, with an error type, dropped",
    labels: [metricKey.componentType, key.errorType],
  },
} as const satisfies Record<string, Instrument>;
