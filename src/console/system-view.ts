/** The running system as the query API gives it: who is there, what of theirs is in trouble, what is in force. Pure. */

import type { Config } from "../config.ts";
import type { AttributeValue } from "../otlp/values.ts";
import { instruments } from "../telemetry/metrics/instruments.ts";
import { key } from "../telemetry/names.ts";
import type { IntakeFigures } from "./intake.ts";
import type { Instance, MetricHistory } from "./metric-history.ts";

/** What became of one signal since the role's start: all that was made has left, was dropped, or waits. */
export interface SignalView {
  exported: number;
  dropped: number;
  waiting: number;
}

export interface RoleView {
  service: string;
  instance_id: string;
  version: string;
  host: string;
  pid: number | null;
  runtime: string;
  environment: string;
  /** RFC 3339. */
  seen_at: string;
  /** It has exported nothing for longer than its usual interval. */
  is_silent: boolean;
  /** Of a worker. */
  threads: { idle: number; busy: number; stuck: number; condemned: number } | null;
  tasks_in_flight: number | null;
  breakers: { name: string; state: "closed" | "half_open" | "open" }[];
  spans: SignalView;
  logs: SignalView;
}

/** As the broker reports it; of the reports of several roles, the largest figures. */
interface QueueView {
  name: string;
  visible: number;
  in_flight: number;
  delayed: number;
  /** Of what waits longest, in seconds; null: no data. */
  oldest_age: number | null;
}

export interface SettingView {
  flag: string;
  variable: string;
  value: string;
  source: string;
  meaning: string;
}

export interface SystemView {
  roles: RoleView[];
  queues: QueueView[];
  /** What was received; bytes of the file and how many it may have. */
  console: IntakeFigures & { file_bytes: number; file_limit_bytes: number; retention_ms: number };
  /** Of the console's own process. */
  settings: SettingView[];
  /** Where its telemetry goes; null: nowhere. */
  exports: { traces: string | null; metrics: string | null; logs: string | null };
}

interface SystemParts {
  history: MetricHistory;
  figures: IntakeFigures;
  fileBytes: number;
  config: ConsoleSettings;
}

/** What the console shows of the settings. */
export type ConsoleSettings = Pick<Config, "rows" | "otel" | "traceRetention" | "traceLimit">;

export function toSystemView({ history, figures, fileBytes, config }: SystemParts): SystemView {
  const { otel, rows, traceLimit, traceRetention } = config;
  return {
    queues: toQueues(history.instances().filter((instance) => !history.isSilent(instance))),
    roles: history.instances().map((instance) => toRoleView(instance, history.isSilent(instance))),
    console: { ...figures, file_bytes: fileBytes, file_limit_bytes: traceLimit, retention_ms: traceRetention },
    settings: rows.map(({ flag, variable, value, source, meaning }) => {
      return { flag, variable, value: withoutPassword(value), source, meaning };
    }),
    exports: {
      traces: otel.tracesUrl ? withoutPassword(otel.tracesUrl) : null,
      metrics: otel.metricsUrl ? withoutPassword(otel.metricsUrl) : null,
      logs: otel.logsUrl ? withoutPassword(otel.logsUrl) : null,
    },
  };
}

function toQueues(instances: readonly Instance[]): QueueView[] {
  const points = (name: string) => instances.flatMap((instance) => newestOf(instance, name));
  const depths = points(instruments.queueDepth.name);
  const ages = points(instruments.oldestAge.name);
  const largest = (found: readonly { value: number }[]): number => Math.max(0, ...found.map(({ value }) => value));
  return [...new Set(depths.map(({ attributes }) => textOf(attributes.queue)))].sort().map((name) => {
    const own = depths.filter(({ attributes }) => attributes.queue === name);
    const depth = (state: string): number => largest(own.filter(({ attributes }) => attributes.state === state));
    const age = ages.filter(({ attributes }) => attributes.queue === name);
    return {
      name,
      visible: depth("visible"),
      in_flight: depth("in_flight"),
      delayed: depth("delayed"),
      oldest_age: age.length === 0 ? null : largest(age),
    };
  });
}

function toRoleView(instance: Instance, isSilent: boolean): RoleView {
  const { service, id, resource, seenMs } = instance;
  const runtime = [resource[key.processRuntimeName], resource[key.processRuntimeVersion]].filter(isText).join(" ");
  const pid = resource[key.processPid];
  return {
    service,
    instance_id: id,
    version: textOf(resource[key.serviceVersion]),
    host: textOf(resource[key.hostName]),
    pid: typeof pid === "number" ? pid : null,
    runtime,
    environment: textOf(resource[key.deploymentEnvironmentName]),
    seen_at: new Date(seenMs).toISOString(),
    is_silent: isSilent,
    threads: toThreads(instance),
    tasks_in_flight: newestOf(instance, instruments.tasksInFlight.name)[0]?.value ?? null,
    breakers: newestOf(instance, instruments.breakerState.name).map(({ value, attributes }) => ({
      name: textOf(attributes.breaker),
      state: breakerStates[value] ?? "open",
    })),
    spans: toSignal(instance, "span"),
    logs: toSignal(instance, "log"),
  };
}

/** In the order of the instrument's values. */
const breakerStates = ["closed", "half_open", "open"] as const;

function newestOf({ newest }: Instance, name: string) {
  return newest.get(name) ?? [];
}

function toThreads(instance: Instance): RoleView["threads"] {
  const points = newestOf(instance, instruments.workerThreads.name);
  if (points.length === 0) return null;
  const of = (state: string): number => points.find(({ attributes }) => attributes.state === state)?.value ?? 0;
  return { idle: of("idle"), busy: of("busy"), stuck: of("stuck"), condemned: of("condemned") };
}

/** As the SDK counts it (semantic conventions, "SDK metrics"): what has an error type was dropped. */
function toSignal(instance: Instance, signal: "span" | "log"): SignalView {
  const processed = newestOf(instance, `otel.sdk.processor.${signal}.processed`);
  const sumOf = (isDropped: boolean): number =>
    processed.reduce((sum, { value, attributes }) => sum + (key.errorType in attributes === isDropped ? value : 0), 0);
  const waiting = newestOf(instance, `otel.sdk.processor.${signal}.queue.size`);
  return {
    exported: sumOf(false),
    dropped: sumOf(true),
    waiting: waiting.reduce((sum, { value }) => sum + value, 0),
  };
}

function isText(value: AttributeValue | undefined): value is string {
  return typeof value === "string" && value !== "";
}

function textOf(value: AttributeValue | undefined): string {
  return isText(value) ? value : "";
}

/** Of a setting that is a URL, without its credentials. */
function withoutPassword(text: string): string {
  const url = URL.parse(text);
  if (!url?.password && !url?.username) return text;
  url.username = "REDACTED";
  url.password = "";
  return url.href;
}
