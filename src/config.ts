/**
 * Every setting in one table: flag, variable, default, meaning, and how its text is read. The help text and
 * `throughline config` come from the same table. The only file that reads the environment; everybody else gets values.
 * All problems are reported at once. Long because the table is one. What OpenTelemetry's own variables mean is in
 * otel-settings.ts, and which of them have no effect in otel-unsupported.ts.
 */

import { existsSync } from "node:fs";
import { isIP } from "node:net";
import { availableParallelism } from "node:os";
import { resolve } from "node:path";
import { allowedBytes } from "./host/runtime.ts";
import { type OtelSettings, readOtel, samplerProblems } from "./settings/otel-settings.ts";
import { type UnsupportedVariable, unsupportedVariables } from "./settings/otel-unsupported.ts";
import {
  address,
  byteSize,
  duration,
  flag,
  httpUrl,
  integer,
  keyName,
  listOf,
  logLevelsOf,
  oneOf,
  openUrl,
  origin,
  type Parse,
  parseByteSize,
  queueName,
  rate,
  showByteSize,
  tableName,
} from "./settings/parsers.ts";
import { tracePolicies } from "./words/task.ts";

/** Those that a task goes through. */
export const taskRoles = ["gateway", "task-service", "worker", "dlq"] as const;
export const roles = [...taskRoles, "console"] as const;
export type Role = (typeof roles)[number];

const seconds = 1000;
const minutes = 60 * seconds;
const hours = 60 * minutes;
const megabyte = parseByteSize("1MB");

interface Setting<T> {
  /** The default, as its text; a function when it depends on the machine, or on `--rpc`. Empty: not set. */
  fallback: string | ((rpc: string) => string);
  parse: Parse<T>;
  meaning: string;
}

function setting<T>(fallback: Setting<T>["fallback"], parse: Parse<T>, meaning: string): Setting<T> {
  return { fallback, parse, meaning };
}

/** A comma list of names that may be empty. */
function namesOf(text: string): string[] {
  return text.split(",").flatMap((name) => name.trim() || []);
}

/** Parses the text if there is one. */
function optional<T>(parse: Parse<T>): Parse<T | undefined> {
  return (text) => (text === "" ? undefined : parse(text));
}

function parseRoles(text: string): Role[] {
  if (text === "all") return [...roles];
  const named = listOf(oneOf("all", ...roles))(text);
  return named.includes("all") ? [...roles] : roles.filter((role) => named.includes(role));
}

const settings = {
  role: setting("all", parseRoles, "all, or a comma list of gateway, task-service, worker, dlq, console"),
  environment: setting(
    "development",
    oneOf("development", "staging", "production"),
    "development, staging or production: deployment.environment.name, and the share of traces kept (1, 0.5, 0.1)",
  ),
  dataDir: setting("./throughline-data", (text) => resolve(text), "where embedded parts keep their files"),
  store: setting(
    "sqlite",
    oneOf("sqlite", "dynamodb"),
    "sqlite (a file in the data folder, on a local disk) or dynamodb (a table, for any number of machines)",
  ),
  table: setting("tasks", tableName, "name of the tasks table"),
  queue: setting(
    "embedded",
    oneOf("embedded", "sqs"),
    "embedded (an SQS broker in its own thread; all roles in one process) or sqs (AWS SQS, ElasticMQ)",
  ),
  brokerListen: setting(
    "",
    optional(address),
    "where other processes on this machine reach the embedded queue by SQS's protocol (default: a free port of loopback)",
  ),
  queueName: setting("task-events", queueName, "the queue of tasks"),
  dlqName: setting("task-events-dlq", queueName, "the dead-letter queue"),
  createQueues: setting("true", flag, "create the queues when they do not exist"),
  gatewayListen: setting("127.0.0.1:8080", address, "public HTTP API"),
  taskServiceListen: setting("127.0.0.1:8081", address, "RPC of the task service (Connect)"),
  grpcListen: setting(
    (rpc) => (rpc === "grpc" ? "127.0.0.1:8082" : ""),
    optional(address),
    "the same by gRPC, without TLS (default: off, with --rpc=grpc 127.0.0.1:8082)",
  ),
  taskServiceUrl: setting("", optional(httpUrl), "where the gateway finds the task service (default: from the above)"),
  rpc: setting("connect", oneOf("connect", "grpc"), "connect or grpc: what the gateway speaks to the task service"),
  adminListen: setting("127.0.0.1:9464", address, "health and metrics of this process"),
  consoleListen: setting("127.0.0.1:8090", address, "the console: its page, and traces of tasks"),
  gatewayUrl: setting("", optional(httpUrl), "where the console finds the gateway (default: from --gateway-listen)"),
  otlpListen: setting("127.0.0.1:4318", address, "where the console receives telemetry (OTLP over HTTP)"),
  traceRetention: setting("24h", duration(1 * minutes, 366 * 24 * hours), "how long the console keeps telemetry"),
  traceLimit: setting(
    "256MB",
    byteSize(4 * megabyte, parseByteSize("1TB")),
    "how much telemetry the console keeps; the newest stays",
  ),
  jaegerUrl: setting(
    "",
    optional(openUrl),
    "a Jaeger that has the traces, such as http://127.0.0.1:16686: the console answers from it, not from what it keeps",
  ),
  handlers: setting(
    () => (existsSync("./handlers") ? "./handlers" : ""),
    optional((text) => resolve(text)),
    "folder of TypeScript or JavaScript handler files (default: ./handlers if it exists)",
  ),
  threads: setting(() => String(availableParallelism()), integer(1, 256), "handler threads of the worker role"),
  threadConcurrency: setting("16", integer(1, 1000), "tasks at once in one thread"),
  memoryLimit: setting(
    () => showByteSize(Math.max(64, Math.floor((0.8 * allowedBytes()) / megabyte)) * megabyte),
    byteSize(64 * megabyte, parseByteSize("1024TB")),
    "resident memory of the process above which a worker takes no task and replaces its threads",
  ),
  visibilityTimeout: setting("30s", duration(2 * seconds, 12 * hours), "lease on a message; extended while it runs"),
  taskTimeout: setting("60s", duration(1, 24 * hours), "default deadline of an attempt"),
  maxAttempts: setting("5", integer(1, 100), "default number of attempts"),
  maxResult: setting(
    "1MB",
    byteSize(1024, parseByteSize("16MB")),
    "the largest result of a handler, as JSON; a larger one is a fatal failure",
  ),
  handlerWait: setting(
    "24h",
    duration(1 * seconds, 366 * 24 * hours),
    "how long a due task waits for a worker that has a handler of its type; then it is dead",
  ),
  retryBase: setting("1s", duration(1, 1 * hours), "exponential back-off with full jitter starts here"),
  retryCap: setting("10m", duration(1, 24 * hours), "and never waits longer than this"),
  taskRetention: setting(
    "168h",
    duration(0, 10 * 365 * 24 * hours),
    "how long tasks that have ended are kept; 0 keeps them for ever",
  ),
  drainTimeout: setting("25s", duration(0, 1 * hours), "time to finish after the first SIGTERM, SIGINT or SIGHUP"),
  tracePolicy: setting("auto", oneOf(...tracePolicies), "whether an attempt joins the task's trace or links to it"),
  metadataAttributes: setting(
    "",
    namesOf,
    "keys of a task's metadata that its spans show, as throughline.metadata.<key>",
  ),
  semconvCompat: setting(
    "false",
    flag,
    "spans carry their attributes also under the names of older OpenTelemetry conventions",
  ),
  logLevel: setting("info", logLevelsOf, "also per module: info,worker.pool=debug,queue=trace"),
  redactKeys: setting(
    "",
    (text) => (text === "" ? [] : listOf(keyName)(text)),
    "names of fields and attributes whose values are masked, besides those that look like secrets (card_number,iban)",
  ),
  httpAllow: setting(
    "",
    namesOf,
    "where the http task may call: public, loopback, private, or host patterns (default: public; in development public,loopback)",
  ),
  trustTraceContext: setting(
    "true",
    flag,
    "continue an outside caller's traceparent; false starts a new trace linked to it; a key may say otherwise",
  ),
  apiKeysFile: setting(
    "",
    optional((text) => resolve(text)),
    "file of the API keys that the gateway takes (throughline key create makes them); without it every caller is served",
  ),
  allowUnauthenticated: setting(
    "false",
    flag,
    "let addresses without authentication be reached from other machines: something else guards them",
  ),
  rateLimit: setting(
    "",
    optional(rate),
    "requests that each key, or without keys each client address, may send to one gateway, or ask one console (100/s, 6000/m)",
  ),
  corsOrigins: setting(
    "",
    (text) => (text === "" ? [] : listOf(origin)(text)),
    "origins whose pages may call the API from a browser (https://shop.example), or *",
  ),
} as const;

export type SettingName = keyof typeof settings;

type Settings = { [Name in SettingName]: ReturnType<(typeof settings)[Name]["parse"]> };

/** Ten parts of 350 KB: a transaction of DynamoDB takes 4 MB ("Service quotas"), the task's own item among them. */
export const maxResultBytesOnDynamo = 10 * 350 * 1024;

/** What every thread gets: plain values only. */
export type Config = Settings & {
  /** The same as texts, to be shown. */
  rows: readonly SettingRow[];
  otel: OtelSettings;
  /** Variables `OTEL_*` that are set and have no effect. */
  unsupportedVariables: UnsupportedVariable[];
  /** Endpoint of the queue's broker: the embedded one's, or what the AWS variables say; undefined: AWS's own. */
  queueEndpoint: string | undefined;
  /** Endpoint of DynamoDB; undefined: AWS's own. */
  storeEndpoint: string | undefined;
  awsRegion: string | undefined;
  /** The worker loads its handlers again whenever a file in their folder changes: `throughline dev`. */
  watchesHandlers: boolean;
  /** The OTLP address is the default: when it is taken, as by a collector, any other will do. */
  mayMoveOtlp: boolean;
};

type Source = "flag" | "variable" | "default";

/** One row of `throughline config`. */
export interface SettingRow {
  name: SettingName;
  flag: string;
  variable: string;
  value: string;
  source: Source;
  meaning: string;
}

export const settingNames = Object.keys(settings) as SettingName[];

/** The variables of this process, and more: for a child that needs them. */
export function environmentWith(more: Record<string, string>): Record<string, string | undefined> {
  return { ...process.env, ...more };
}

/** `gatewayListen` as `--gateway-listen`. */
export function flagOf(name: SettingName): string {
  return `--${name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;
}

/** `gatewayListen` as `THROUGHLINE_GATEWAY_LISTEN`. */
export function variableOf(name: SettingName): string {
  return `THROUGHLINE_${name.replace(/[A-Z]/g, (letter) => `_${letter}`).toUpperCase()}`;
}

export function meaningOf(name: SettingName): string {
  return settings[name].meaning;
}

/** `rpc`: the text of `--rpc`, which says whether gRPC is on. */
export function fallbackOf(name: SettingName, rpc = "connect"): string {
  const { fallback } = settings[name];
  return typeof fallback === "function" ? fallback(rpc) : fallback;
}

/** Settings that do not hold together; `problems` has a line for each. */
export class ConfigError extends Error {
  override readonly name = "ConfigError";
  readonly problems: string[];
  constructor(problems: string[]) {
    super(problems.join("\n"));
    this.problems = problems;
  }
}

/** Variables of the command line that are not settings of the server. */
const otherVariables = new Set(["THROUGHLINE_URL", "THROUGHLINE_API_KEY", "THROUGHLINE_CONSOLE_URL"]);

/** Variables of other projects whose URL a client would otherwise refuse with a word of its own, or quietly not use. */
const urlVariables = /^(OTEL_EXPORTER_OTLP_((TRACES|METRICS|LOGS)_)?ENDPOINT|AWS_ENDPOINT_URL(_SQS|_DYNAMODB)?)$/;

/** Settings as the command line has them. */
type Flags = Partial<Record<SettingName, string>>;

/** Flags over variables over defaults. Throws `ConfigError` with every problem. */
export function readConfig(
  flags: Flags,
  env: Record<string, string | undefined> = process.env,
): { config: Config; rows: SettingRow[] } {
  const problems: string[] = [];
  problems.push(...unknownVariables(env));
  for (const [variable, text] of Object.entries(env)) {
    if (urlVariables.test(variable) && text && !/^https?:/.test(URL.parse(text)?.protocol ?? "")) {
      problems.push(`${variable}: "${text}": expected an http(s) URL`);
    }
  }
  problems.push(...samplerProblems(env));
  const rows: SettingRow[] = [];
  const values: Record<string, unknown> = {};
  for (const name of settingNames) {
    const row = rowOf(name, flags, env);
    rows.push(row);
    try {
      values[name] = settings[name].parse(row.value);
    } catch (error) {
      const spelled = row.source === "variable" ? row.variable : row.flag;
      problems.push(`${spelled}: "${row.value}": ${error instanceof Error ? error.message : String(error)}`);
    }
  }
  if (problems.length > 0) throw new ConfigError(problems);
  // Every name of the table has been parsed by its own parser just above.
  const parsed = values as Settings;
  const config: Config = {
    ...parsed,
    rows,
    otel: readOtel(env),
    unsupportedVariables: unsupportedVariables(env, parsed.role),
    queueEndpoint: values.queue === "sqs" ? env.AWS_ENDPOINT_URL_SQS || env.AWS_ENDPOINT_URL : undefined,
    storeEndpoint: values.store === "dynamodb" ? env.AWS_ENDPOINT_URL_DYNAMODB || env.AWS_ENDPOINT_URL : undefined,
    awsRegion: env.AWS_REGION || undefined,
    watchesHandlers: false,
    mayMoveOtlp: rows.some(({ name, source }) => name === "otlpListen" && source === "default"),
  };
  const contradictions = contradictionsOf(config, env);
  if (contradictions.length > 0) throw new ConfigError(contradictions);
  return { config, rows };
}

function unknownVariables(env: Record<string, string | undefined>): string[] {
  const known = new Set<string>([...settingNames.map(variableOf), ...otherVariables]);
  return Object.entries(env)
    .filter(([variable, value = ""]) => variable.startsWith("THROUGHLINE_") && !isServiceLink(variable, value))
    .flatMap(([variable]) => (known.has(variable) ? [] : [`unknown variable ${variable}`]));
}

/**
 * What Kubernetes puts into a pod for each service, here for those whose names begin with `throughline` (Kubernetes,
 * "Accessing the Service: Environment Variables"). The value has to fit as well: a person who invents
 * `THROUGHLINE_GATEWAY_PORT=8080` is corrected.
 */
const serviceLinks: readonly { name: RegExp; isValue: (value: string) => boolean }[] = [
  { name: /_SERVICE_HOST$/, isValue: (value) => isIP(value) !== 0 },
  { name: /_SERVICE_PORT(_[A-Z0-9_]+)?$/, isValue: isPort },
  { name: /_PORT(_\d+_(TCP|UDP|SCTP))?$/, isValue: (value) => /^(tcp|udp|sctp):\/\/\S+:\d+$/.test(value) },
  { name: /_PORT_\d+_(TCP|UDP|SCTP)_PROTO$/, isValue: (value) => /^(tcp|udp|sctp)$/.test(value) },
  { name: /_PORT_\d+_(TCP|UDP|SCTP)_PORT$/, isValue: isPort },
  { name: /_PORT_\d+_(TCP|UDP|SCTP)_ADDR$/, isValue: (value) => isIP(value) !== 0 },
];

export function isServiceLink(variable: string, value: string): boolean {
  return serviceLinks.some(({ name, isValue }) => name.test(variable) && isValue(value));
}

function isPort(value: string): boolean {
  return /^\d{1,5}$/.test(value);
}

/** Which running system the command line talks to, and as whom. */
export interface Remote {
  /** Without a slash at the end. */
  url: string;
  /** A secret: never printed. */
  apiKey: string | undefined;
  /** The trace that the caller's own work is in, in the form of the headers. */
  traceHeaders: Record<string, string>;
}

export const defaultRemoteUrl = "http://127.0.0.1:8080";

/** `--url` over `THROUGHLINE_URL` over the default. Throws `ConfigError` with every problem. */
export function readRemote(urlFlag?: string, env: Record<string, string | undefined> = process.env): Remote {
  const problems = unknownVariables(env);
  const text = urlFlag ?? (env.THROUGHLINE_URL || defaultRemoteUrl);
  const url = URL.parse(text);
  const spelled = urlFlag === undefined ? "THROUGHLINE_URL" : "--url";
  if (!url || !/^https?:$/.test(url.protocol)) {
    problems.push(`${spelled}: "${text}": expected an http(s) URL, such as ${defaultRemoteUrl}`);
  } else if (url.username || url.password) {
    problems.push(`${spelled}: expected a URL without a user and a password: a key belongs in THROUGHLINE_API_KEY`);
  }
  const apiKey = env.THROUGHLINE_API_KEY || undefined;
  problems.push(...keyProblems(apiKey));
  if (!url || problems.length > 0) throw new ConfigError(problems);
  // What people copy from an example request is the same place.
  const path = url.pathname.replace(/\/+$/, "").replace(/\/v1$/, "");
  return { url: `${url.origin}${path}`, apiKey, traceHeaders: traceHeadersOf(env) };
}

function keyProblems(apiKey: string | undefined): string[] {
  const isKey = apiKey === undefined || /^[\x21-\x7e]+$/.test(apiKey);
  return isKey ? [] : ["THROUGHLINE_API_KEY: expected a key as `throughline key create` prints it, without spaces"];
}

/** The key of `THROUGHLINE_API_KEY`: a secret, never printed. Throws `ConfigError`. */
export function readApiKey(env: Record<string, string | undefined> = process.env): string | undefined {
  const apiKey = env.THROUGHLINE_API_KEY || undefined;
  const problems = keyProblems(apiKey);
  if (problems.length > 0) throw new ConfigError(problems);
  return apiKey;
}

export const defaultConsoleUrl = "http://127.0.0.1:8090";

/** `--console-url` over `THROUGHLINE_CONSOLE_URL` over the default, without a slash at the end. Throws `ConfigError`. */
export function readConsoleUrl(urlFlag?: string, env: Record<string, string | undefined> = process.env): string {
  const problems = unknownVariables(env);
  const text = urlFlag ?? (env.THROUGHLINE_CONSOLE_URL || defaultConsoleUrl);
  const url = URL.parse(text);
  if (!url || !/^https?:$/.test(url.protocol)) {
    const spelled = urlFlag === undefined ? "THROUGHLINE_CONSOLE_URL" : "--console-url";
    problems.push(`${spelled}: "${text}": expected an http(s) URL, such as ${defaultConsoleUrl}`);
  }
  if (!url || problems.length > 0) throw new ConfigError(problems);
  return `${url.origin}${url.pathname.replace(/\/+$/, "")}`;
}

/** OpenTelemetry, "Environment Variables as Context Propagation Carriers": the headers' names in capitals. */
function traceHeadersOf(env: Record<string, string | undefined>): Record<string, string> {
  const { TRACEPARENT: traceparent, TRACESTATE: tracestate, BAGGAGE: baggage } = env;
  const isHeader = (text: string | undefined): text is string => text !== undefined && /^[\x20-\x7e]+$/.test(text);
  return {
    ...(isHeader(traceparent) && { traceparent }),
    ...(isHeader(traceparent) && isHeader(tracestate) && { tracestate }),
    ...(isHeader(baggage) && { baggage }),
  };
}

/** The flag's file of API keys, or the variable's, for the commands that write it; undefined: neither says one. */
export function readKeysPath(
  fileFlag?: string,
  env: Record<string, string | undefined> = process.env,
): string | undefined {
  const path = fileFlag ?? env[variableOf("apiKeysFile")];
  return path ? resolve(path) : undefined;
}

function rowOf(name: SettingName, flags: Flags, env: Record<string, string | undefined>): SettingRow {
  const row = { name, flag: flagOf(name), variable: variableOf(name), meaning: meaningOf(name) };
  const flagText = flags[name];
  const variableText = env[row.variable];
  if (flagText !== undefined) return { ...row, value: flagText, source: "flag" };
  if (variableText !== undefined) return { ...row, value: variableText, source: "variable" };
  return { ...row, value: fallbackOf(name, flags.rpc ?? env[variableOf("rpc")]), source: "default" };
}

/** A console alone has nothing to do with the queue. */
function isTaskProcess({ role }: Config): boolean {
  return taskRoles.some((each) => role.includes(each));
}

function contradictionsOf(config: Config, env: Record<string, string | undefined>): string[] {
  const problems: string[] = [];
  if (config.queue === "embedded" && !taskRoles.every((role) => config.role.includes(role)) && isTaskProcess(config)) {
    problems.push(
      `--role=${config.role.join(",")} needs a queue that other processes can reach: set --queue=sqs (the embedded queue lives inside a process that has all roles)`,
    );
  }
  if (config.queue === "sqs" && !env.AWS_REGION) {
    problems.push("--queue=sqs needs AWS_REGION");
  }
  if (config.store === "dynamodb" && config.awsRegion === undefined) {
    problems.push("--store=dynamodb needs AWS_REGION");
  }
  if (config.rpc === "grpc" && config.role.includes("gateway") && !config.grpcListen && !config.taskServiceUrl) {
    problems.push("--rpc=grpc needs a --grpc-listen or a --task-service-url");
  }
  if (config.store === "dynamodb" && config.maxResult > maxResultBytesOnDynamo) {
    const most = showByteSize(maxResultBytesOnDynamo);
    problems.push(`--max-result=${showByteSize(config.maxResult)} is more than DynamoDB takes: set at most ${most}`);
  }
  if (config.queueName === config.dlqName) problems.push("--queue-name and --dlq-name must differ");
  if (config.retryCap < config.retryBase) problems.push("--retry-cap must not be below --retry-base");
  if (config.handlers !== undefined && !existsSync(config.handlers)) {
    problems.push(`--handlers: there is no folder "${config.handlers}"`);
  }
  return problems;
}

/** The same settings with every signal sent to one OTLP receiver. */
export function withOtlpEndpoint(config: Config, base: string): Config {
  const otel = {
    ...config.otel,
    tracesUrl: `${base}/v1/traces`,
    metricsUrl: `${base}/v1/metrics`,
    logsUrl: `${base}/v1/logs`,
  };
  return { ...config, otel };
}

/**
 * The same settings with a console at this OTLP address: it gets the telemetry that goes nowhere else; in development
 * also a copy of what does.
 */
export function withConsole(config: Config, base: string): Config {
  const { otel, environment } = config;
  const toConsole = (signal: "traces" | "logs", url: string | undefined) => {
    const own = `${base}/v1/${signal}`;
    const isElsewhere = url !== undefined && url !== own;
    return { url: url ?? own, copy: isElsewhere && environment === "development" ? own : undefined };
  };
  const traces = toConsole("traces", otel.tracesUrl);
  const logs = toConsole("logs", otel.logsUrl);
  const isWatched = otel.metricsUrl === undefined || environment === "development";
  const metricsCopy = isWatched ? `${base}/v1/metrics` : undefined;
  return {
    ...config,
    otel: {
      ...otel,
      tracesUrl: traces.url,
      logsUrl: logs.url,
      copyUrls: { traces: traces.copy, metrics: metricsCopy, logs: logs.copy },
    },
  };
}

/** Colour only on a terminal, and not when `NO_COLOR` is set (no-color.org). */
export function isColorWanted(isTerminal: boolean, env: Record<string, string | undefined> = process.env): boolean {
  return isTerminal && !env.NO_COLOR;
}
