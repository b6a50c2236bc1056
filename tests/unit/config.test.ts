import { describe, expect, test } from "bun:test";
import { resolve } from "node:path";
import fc from "fast-check";
import {
  ConfigError,
  flagOf,
  isServiceLink,
  readConfig,
  readRemote,
  type SettingName,
  settingNames,
  variableOf,
  withOtlpEndpoint,
} from "../../src/config.ts";
import { tempFolder } from "../support/temp-folder.ts";

type Env = Record<string, string | undefined>;

/** What depends on the machine, fixed. */
const fixed = { dataDir: "/data", handlers: "", threads: "2", memoryLimit: "1GB" } as const;
const sqs = { AWS_REGION: "eu-central-1" };

function problemsOf(flags: Partial<Record<SettingName, string>>, env: Env = {}): string[] {
  try {
    readConfig({ ...fixed, ...flags }, env);
  } catch (error) {
    if (error instanceof ConfigError) return error.problems;
    throw error;
  }
  return [];
}

describe("the settings", () => {
  test("have the documented defaults", () => {
    const { config, rows } = readConfig(fixed, {});
    expect(config).toEqual({
      rows,
      role: ["gateway", "task-service", "worker", "dlq", "console"],
      environment: "development",
      dataDir: "/data",
      store: "sqlite",
      table: "tasks",
      queue: "embedded",
      brokerListen: undefined,
      queueName: "task-events",
      dlqName: "task-events-dlq",
      createQueues: true,
      gatewayListen: { host: "127.0.0.1", port: 8080 },
      taskServiceListen: { host: "127.0.0.1", port: 8081 },
      grpcListen: undefined,
      taskServiceUrl: undefined,
      rpc: "connect",
      adminListen: { host: "127.0.0.1", port: 9464 },
      consoleListen: { host: "127.0.0.1", port: 8090 },
      gatewayUrl: undefined,
      otlpListen: { host: "127.0.0.1", port: 4318 },
      traceRetention: 86_400_000,
      traceLimit: 268_435_456,
      jaegerUrl: undefined,
      handlers: undefined,
      threads: 2,
      threadConcurrency: 16,
      memoryLimit: 1_073_741_824,
      visibilityTimeout: 30_000,
      handlerWait: 86_400_000,
      taskTimeout: 60_000,
      maxAttempts: 5,
      maxResult: 1_048_576,
      retryBase: 1000,
      retryCap: 600_000,
      taskRetention: 604_800_000,
      drainTimeout: 25_000,
      tracePolicy: "auto",
      metadataAttributes: [],
      semconvCompat: false,
      logLevel: { base: "info", modules: {} },
      redactKeys: [],
      httpAllow: [],
      trustTraceContext: true,
      apiKeysFile: undefined,
      allowUnauthenticated: false,
      rateLimit: undefined,
      corsOrigins: [],
      otel: {
        disabled: false,
        tracesUrl: undefined,
        metricsUrl: undefined,
        logsUrl: undefined,
        copyUrls: { traces: undefined, metrics: undefined, logs: undefined },
        metricIntervalMs: 60_000,
        metricTimeoutMs: 30_000,
        metricTemporality: "cumulative",
        serviceName: undefined,
        sampler: undefined,
        propagators: undefined,
        spanBatches: { hasOwnQueueSize: false, hasOwnDelay: false },
        hasSpanLimits: false,
        diagnostics: "info",
        logRecords: {
          maxQueueSize: 32_768,
          scheduledDelayMillis: 1000,
          maxExportBatchSize: 512,
          exportTimeoutMillis: 30_000,
          attributeCountLimit: 128,
          attributeValueLengthLimit: undefined,
        },
      },
      unsupportedVariables: [],
      queueEndpoint: undefined,
      storeEndpoint: undefined,
      awsRegion: undefined,
      watchesHandlers: false,
      mayMoveOtlp: true,
    });
  });

  test("switch gRPC on when --grpc-listen or --rpc=grpc asks for it, and not otherwise", () => {
    const grpcOf = (flags: Partial<Record<SettingName, string>>, env: Env = {}) => {
      const { config, rows } = readConfig({ ...fixed, ...flags }, env);
      const { value, source } = rows.find(({ name }) => name === "grpcListen") ?? {};
      return [config.grpcListen?.port, value, source];
    };
    expect(grpcOf({})).toEqual([undefined, "", "default"]);
    expect(grpcOf({ rpc: "connect" })).toEqual([undefined, "", "default"]);
    expect(grpcOf({ rpc: "grpc" })).toEqual([8082, "127.0.0.1:8082", "default"]);
    expect(grpcOf({}, { THROUGHLINE_RPC: "grpc" })).toEqual([8082, "127.0.0.1:8082", "default"]);
    expect(grpcOf({ grpcListen: "127.0.0.1:9" })).toEqual([9, "127.0.0.1:9", "flag"]);
    expect(grpcOf({ rpc: "grpc", grpcListen: "", taskServiceUrl: "http://other:1" })).toEqual([undefined, "", "flag"]);
  });

  test("have one name in three spellings", () => {
    expect([flagOf("gatewayListen"), variableOf("gatewayListen")]).toEqual([
      "--gateway-listen",
      "THROUGHLINE_GATEWAY_LISTEN",
    ]);
  });

  test("are taken from the flag over the variable over the default, and say from where", () => {
    const env = { THROUGHLINE_QUEUE_NAME: "from-variable", THROUGHLINE_TABLE: "from_variable" };
    const { config, rows } = readConfig({ ...fixed, queueName: "from-flag" }, env);
    expect([config.queueName, config.table, config.dlqName]).toEqual(["from-flag", "from_variable", "task-events-dlq"]);
    const shown = rows.filter(({ name }) => name === "queueName" || name === "table" || name === "dlqName");
    expect(shown.map(({ flag, variable, value, source }) => [flag, variable, value, source])).toEqual([
      ["--table", "THROUGHLINE_TABLE", "from_variable", "variable"],
      ["--queue-name", "THROUGHLINE_QUEUE_NAME", "from-flag", "flag"],
      ["--dlq-name", "THROUGHLINE_DLQ_NAME", "task-events-dlq", "default"],
    ]);
  });

  test("name the roles in the order of the process, each once, and all by one word", () => {
    const roles = (role: string) => readConfig({ ...fixed, role, queue: "sqs" }, sqs).config.role;
    expect(roles("dlq,worker,dlq")).toEqual(["worker", "dlq"]);
    expect(roles("worker,all")).toEqual(["gateway", "task-service", "worker", "dlq", "console"]);
  });

  test("turn folders into absolute paths", async () => {
    await using folder = await tempFolder();
    const { config } = readConfig({ ...fixed, dataDir: "here", handlers: `${folder.path}/../` }, {});
    expect([config.dataDir, config.handlers]).toEqual([resolve("here"), resolve(folder.path, "..")]);
  });

  test("list where the http task may call", () => {
    expect(readConfig({ ...fixed, httpAllow: "public, *.example.com" }, {}).config.httpAllow).toEqual([
      "public",
      "*.example.com",
    ]);
  });
});

/** All that Kubernetes puts into a pod for a service (its own `makeEnvVariableName` and `makeLinkVariables`). */
function serviceLinksOf({ service, host, ports }: ServiceInCluster): Env {
  const name = service.toUpperCase().replaceAll("-", "_");
  const [first] = ports;
  if (!first) return {};
  const linkOf = ({ port, protocol }: ServicePort): string =>
    `${protocol.toLowerCase()}://${host.includes(":") ? `[${host}]` : host}:${port}`;
  return {
    [`${name}_SERVICE_HOST`]: host,
    [`${name}_SERVICE_PORT`]: String(first.port),
    [`${name}_PORT`]: linkOf(first),
    ...Object.assign(
      {},
      ...ports.map((each) => {
        const link = `${name}_PORT_${each.port}_${each.protocol}`;
        return {
          [`${name}_SERVICE_PORT_${each.name.toUpperCase().replaceAll("-", "_")}`]: String(each.port),
          [link]: linkOf(each),
          [`${link}_PROTO`]: each.protocol.toLowerCase(),
          [`${link}_PORT`]: String(each.port),
          [`${link}_ADDR`]: host,
        };
      }),
    ),
  };
}

interface ServicePort {
  name: string;
  port: number;
  protocol: string;
}

interface ServiceInCluster {
  service: string;
  host: string;
  ports: ServicePort[];
}

describe("variables that Kubernetes sets for services of our name", () => {
  const word = fc.stringMatching(/^[a-z]([a-z0-9-]{0,20}[a-z0-9])?$/);
  const cluster: fc.Arbitrary<ServiceInCluster> = fc.record({
    service: fc.oneof(
      fc.constantFrom("throughline", "throughline-worker", "throughline-task-service", "throughline-service-port"),
      word.map((rest) => `throughline-${rest}`),
    ),
    host: fc.oneof(fc.ipV4(), fc.ipV6()),
    ports: fc.array(
      fc.record({
        name: word,
        port: fc.integer({ min: 1, max: 65_535 }),
        protocol: fc.constantFrom("TCP", "UDP", "SCTP"),
      }),
      { minLength: 1, maxLength: 4 },
    ),
  });

  test("are no settings, for a server and for the command line", () => {
    const plain = readConfig(fixed, {});
    fc.assert(
      fc.property(cluster, (service) => {
        const env = serviceLinksOf(service);
        expect(readConfig(fixed, env)).toEqual(plain);
        expect(readRemote(undefined, env).url).toBe("http://127.0.0.1:8080");
      }),
    );
  });

  test("are refused when a person has made one up, and so is a setting that is misspelt", () => {
    const madeUp = {
      THROUGHLINE_PORT: "8080",
      THROUGHLINE_GATEWAY_PORT: "127.0.0.1:8080",
      THROUGHLINE_SERVICE_HOST: "localhost",
      THROUGHLINE_SERVICE_PORT: "",
      THROUGHLINE_TASK_SERVICE_LISTEN_PORT: "http://127.0.0.1:8081",
      THROUGHLINE_PORT_8080_TCP_PROTO: "http",
      THROUGHLINE_PORTS: "tcp://10.0.0.1:80",
    };
    expect(problemsOf({}, madeUp)).toEqual(Object.keys(madeUp).map((name) => `unknown variable ${name}`));
    const misspelt = fc
      .constantFrom(...settingNames.map(variableOf))
      .chain((variable) =>
        fc
          .integer({ min: "THROUGHLINE_".length, max: variable.length - 1 })
          .map((at) => variable.slice(0, at) + variable.slice(at + 1)),
      );
    const known: readonly string[] = settingNames.map(variableOf);
    const values = fc.constantFrom("127.0.0.1:8080", "10.0.0.1", "8080", "tcp://10.0.0.1:80", "");
    fc.assert(
      fc.property(misspelt, values, (variable, value) => {
        fc.pre(!known.includes(variable));
        expect(problemsOf({}, { [variable]: value })).toContain(`unknown variable ${variable}`);
      }),
    );
  });

  test("have the name of no setting", () => {
    const values = ["10.0.0.1", "80", "tcp://10.0.0.1:80", "tcp"];
    const settings = [...settingNames.map(variableOf), "THROUGHLINE_URL", "THROUGHLINE_CONSOLE_URL"];
    expect(settings.filter((variable) => values.some((value) => isServiceLink(variable, value)))).toEqual([]);
  });
});

describe("settings that cannot be", () => {
  test("are refused when no setting has the variable's name", () => {
    const env = { THROUGHLINE_QUEU: "sqs", THROUGHLINE_URL: "http://127.0.0.1:8080", QUEUE: "sqs" };
    expect(problemsOf({}, env)).toEqual(["unknown variable THROUGHLINE_QUEU"]);
  });

  test("are told all at once, each in the spelling that was used", () => {
    const env = {
      THROUGHLINE_ROLES: "all",
      THROUGHLINE_THREADS: "none",
      THROUGHLINE_TABLE: "t",
      THROUGHLINE_STORE: "",
    };
    expect(problemsOf({ retryBase: "soon", handlers: "", table: "tasks" }, env)).toEqual([
      "unknown variable THROUGHLINE_ROLES",
      'THROUGHLINE_STORE: "": expected sqlite or dynamodb',
      '--retry-base: "soon": expected a duration such as 250ms, 30s, 10m or 2h',
    ]);
    expect(problemsOf({ threads: "0", queueName: "a b", gatewayListen: "8080" })).toEqual([
      '--queue-name: "a b": expected up to 80 letters, digits, - or _',
      '--gateway-listen: "8080": expected host:port, such as 127.0.0.1:8080',
      '--threads: "0": expected a whole number from 1 to 256',
    ]);
  });

  const outside: [name: SettingName, text: string][] = [
    ["role", "supervisor"],
    ["role", ""],
    ["environment", "test"],
    ["createQueues", "yes"],
    ["visibilityTimeout", "1s"],
    ["visibilityTimeout", "13h"],
    ["taskTimeout", "0ms"],
    ["memoryLimit", "63MB"],
    ["memoryLimit", "1GiB"],
    ["maxAttempts", "0"],
    ["maxAttempts", "101"],
    ["threadConcurrency", "0"],
    ["drainTimeout", "2h"],
    ["logLevel", "loud"],
    ["taskServiceUrl", "task-service:8081"],
  ];

  test.each(outside)("are refused when out of range: %s %p", (name, text) => {
    expect(problemsOf({ [name]: text })).toEqual([expect.stringContaining(`${flagOf(name)}: "${text}": expected`)]);
  });

  test("are refused when they contradict each other, all at once", () => {
    const flags = {
      queueName: "q",
      dlqName: "q",
      retryBase: "10s",
      retryCap: "9s",
      handlers: "/nowhere",
      role: "worker",
    };
    expect(problemsOf(flags)).toEqual([
      "--role=worker needs a queue that other processes can reach: set --queue=sqs (the embedded queue lives inside a process that has all roles)",
      "--queue-name and --dlq-name must differ",
      "--retry-cap must not be below --retry-base",
      '--handlers: there is no folder "/nowhere"',
    ]);
  });

  test("are refused when AWS is asked for and nobody says which region", () => {
    expect(problemsOf({ queue: "sqs" })).toEqual(["--queue=sqs needs AWS_REGION"]);
    expect(problemsOf({ queue: "sqs" }, { AWS_REGION: "eu-central-1" })).toEqual([]);
    expect(problemsOf({ queue: "sqs" }, { AWS_DEFAULT_REGION: "eu-central-1" })).toEqual([
      "--queue=sqs needs AWS_REGION",
    ]);
  });
});

describe("the queue's endpoint", () => {
  const endpointOf = (flags: Partial<Record<SettingName, string>>, env: Env) =>
    readConfig({ ...fixed, ...flags }, { ...sqs, ...env }).config.queueEndpoint;
  const ofSqs = { AWS_ENDPOINT_URL_SQS: "http://sqs:9324" };
  const ofAll = { AWS_ENDPOINT_URL: "http://aws:4566" };

  test("is what the AWS variables say, the one for SQS before the one for all", () => {
    expect(endpointOf({ queue: "sqs" }, { ...ofSqs, ...ofAll })).toBe("http://sqs:9324");
    expect(endpointOf({ queue: "sqs" }, ofAll)).toBe("http://aws:4566");
    expect(endpointOf({ queue: "sqs" }, {})).toBeUndefined();
  });

  test("is never theirs for the embedded queue", () => {
    expect(endpointOf({ queue: "embedded" }, { ...ofSqs, ...ofAll })).toBeUndefined();
  });
});

describe("the store's endpoint", () => {
  const placeOf = (env: Env) => {
    const { storeEndpoint, awsRegion } = readConfig({ ...fixed, store: "dynamodb" }, { ...sqs, ...env }).config;
    return { storeEndpoint, awsRegion };
  };
  const awsRegion = "eu-central-1";

  test("is what the AWS variables say, the one for DynamoDB before the one for all", () => {
    const ofDynamoDb = { AWS_ENDPOINT_URL_DYNAMODB: "http://dynamodb:8000" };
    const ofAll = { AWS_ENDPOINT_URL: "http://aws:4566" };
    expect(placeOf({ ...ofDynamoDb, ...ofAll })).toEqual({ storeEndpoint: "http://dynamodb:8000", awsRegion });
    expect(placeOf(ofAll)).toEqual({ storeEndpoint: "http://aws:4566", awsRegion });
    expect(placeOf({})).toEqual({ storeEndpoint: undefined, awsRegion });
    expect(readConfig(fixed, ofAll).config.storeEndpoint).toBeUndefined();
  });

  test("is refused when it is no URL, and so is a store with no region", () => {
    expect(problemsOf({}, { AWS_ENDPOINT_URL_DYNAMODB: "dynamodb:8000" })).toEqual([
      'AWS_ENDPOINT_URL_DYNAMODB: "dynamodb:8000": expected an http(s) URL',
    ]);
    expect(problemsOf({ store: "dynamodb" })).toEqual(["--store=dynamodb needs AWS_REGION"]);
  });

  test("bounds the results that it is to keep", () => {
    const ofDynamo = (maxResult: string) =>
      problemsOf({ store: "dynamodb", maxResult }, { AWS_REGION: "eu-central-1" });
    expect(ofDynamo("3500KB")).toEqual([]);
    expect(ofDynamo("4MB")).toEqual(["--max-result=4MB is more than DynamoDB takes: set at most 3500KB"]);
    expect(problemsOf({ maxResult: "16MB" })).toEqual([]);
    for (const maxResult of ["17MB", "0.5KB", "1000", "0KB"]) expect(problemsOf({ maxResult })).toHaveLength(1);
  });
});

describe("where telemetry goes", () => {
  const otelOf = (env: Env) => readConfig(fixed, env).config.otel;
  const nowhere = otelOf({});

  test("follows from the one endpoint for all signals", () => {
    expect(otelOf({ OTEL_EXPORTER_OTLP_ENDPOINT: "http://collector:4318/" })).toEqual({
      ...nowhere,
      tracesUrl: "http://collector:4318/v1/traces",
      metricsUrl: "http://collector:4318/v1/metrics",
      logsUrl: "http://collector:4318/v1/logs",
    });
  });

  test("is a signal's own endpoint, taken as it is, before that", () => {
    const env = {
      OTEL_EXPORTER_OTLP_ENDPOINT: "http://collector:4318",
      OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: "https://traces.example.com/otlp",
      OTEL_EXPORTER_OTLP_LOGS_ENDPOINT: "",
    };
    expect(otelOf(env)).toEqual({
      ...nowhere,
      tracesUrl: "https://traces.example.com/otlp",
      metricsUrl: "http://collector:4318/v1/metrics",
      logsUrl: "http://collector:4318/v1/logs",
    });
    expect(otelOf({ OTEL_EXPORTER_OTLP_METRICS_ENDPOINT: "http://m/x" })).toEqual({
      ...nowhere,
      metricsUrl: "http://m/x",
    });
  });

  test.each<[env: Env, signals: string[]]>([
    [{ OTEL_TRACES_EXPORTER: "none" }, ["metrics", "logs"]],
    [{ OTEL_METRICS_EXPORTER: "prometheus" }, ["traces", "logs"]],
    [{ OTEL_LOGS_EXPORTER: " Console " }, ["traces", "metrics"]],
    [{ OTEL_TRACES_EXPORTER: "console, OTLP", OTEL_METRICS_EXPORTER: "otlp" }, ["traces", "metrics", "logs"]],
    [{ OTEL_TRACES_EXPORTER: "", OTEL_LOGS_EXPORTER: "," }, ["traces", "metrics", "logs"]],
  ])("is nowhere for a signal whose exporter is another than otlp: %p", (env, signals) => {
    const { tracesUrl, metricsUrl, logsUrl } = otelOf({ ...env, OTEL_EXPORTER_OTLP_ENDPOINT: "http://c:4318" });
    const urls = [tracesUrl, metricsUrl, logsUrl].filter((url) => url !== undefined);
    expect(urls).toEqual(signals.map((signal) => `http://c:4318/v1/${signal}`));
  });

  test("is changed by the other variables as OpenTelemetry says", () => {
    const env = {
      OTEL_SDK_DISABLED: "TRUE",
      OTEL_METRIC_EXPORT_INTERVAL: "250",
      OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE: "Delta",
      OTEL_SERVICE_NAME: "mine",
      OTEL_TRACES_SAMPLER: "always_off",
      OTEL_PROPAGATORS: "B3, tracecontext,",
    };
    expect(otelOf(env)).toEqual({
      ...nowhere,
      disabled: true,
      metricIntervalMs: 250,
      metricTimeoutMs: 250,
      metricTemporality: "delta",
      serviceName: "mine",
      sampler: { name: "always_off", ratio: 1 },
      propagators: ["b3", "tracecontext"],
    });
  });

  test.each(["", "soon", "0", "-5", "0.5", "Infinity", "1e12"])("keeps its interval when that is set to %p", (text) => {
    expect(otelOf({ OTEL_METRIC_EXPORT_INTERVAL: text }).metricIntervalMs).toBe(60_000);
  });

  test("is refused, with every other problem, when it is not a URL", () => {
    const env = {
      OTEL_EXPORTER_OTLP_ENDPOINT: "collector:4318",
      OTEL_EXPORTER_OTLP_LOGS_ENDPOINT: "not a url",
      AWS_ENDPOINT_URL_SQS: "localhost",
    };
    expect(problemsOf({ threads: "0" }, env)).toEqual([
      'OTEL_EXPORTER_OTLP_ENDPOINT: "collector:4318": expected an http(s) URL',
      'OTEL_EXPORTER_OTLP_LOGS_ENDPOINT: "not a url": expected an http(s) URL',
      'AWS_ENDPOINT_URL_SQS: "localhost": expected an http(s) URL',
      '--threads: "0": expected a whole number from 1 to 256',
    ]);
  });

  test("can be sent to one receiver, all else unchanged", () => {
    const { config } = readConfig(fixed, { OTEL_SERVICE_NAME: "mine" });
    expect(withOtlpEndpoint(config, "http://127.0.0.1:4318")).toEqual({
      ...config,
      otel: {
        ...config.otel,
        tracesUrl: "http://127.0.0.1:4318/v1/traces",
        metricsUrl: "http://127.0.0.1:4318/v1/metrics",
        logsUrl: "http://127.0.0.1:4318/v1/logs",
      },
    });
  });
});

describe("how log records leave", () => {
  const { logRecords } = readConfig(fixed, {}).config.otel;

  test("is as OpenTelemetry's variables say", () => {
    const env = {
      OTEL_BLRP_MAX_QUEUE_SIZE: "100",
      OTEL_BLRP_SCHEDULE_DELAY: "200",
      OTEL_BLRP_MAX_EXPORT_BATCH_SIZE: "50",
      OTEL_BLRP_EXPORT_TIMEOUT: "3000",
      OTEL_ATTRIBUTE_COUNT_LIMIT: "10",
      OTEL_LOGRECORD_ATTRIBUTE_COUNT_LIMIT: "20",
      OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT: "1000",
    };
    expect(readConfig(fixed, env).config.otel.logRecords).toEqual({
      maxQueueSize: 100,
      scheduledDelayMillis: 200,
      maxExportBatchSize: 50,
      exportTimeoutMillis: 3000,
      attributeCountLimit: 20,
      attributeValueLengthLimit: 1000,
    });
  });

  test.each(["", "many", "0", "-1", "1e99"])("is as by default where a variable is %p", (text) => {
    const env = { OTEL_BLRP_MAX_QUEUE_SIZE: text, OTEL_BLRP_SCHEDULE_DELAY: text };
    expect(readConfig(fixed, env).config.otel.logRecords).toEqual(logRecords);
  });
});

test("names of keys that are not told are a comma list", () => {
  expect(readConfig({ ...fixed, redactKeys: "card_number, http.x-iban" }, {}).config.redactKeys).toEqual([
    "card_number",
    "http.x-iban",
  ]);
  expect(problemsOf({ redactKeys: "card number," }, {})).toEqual([
    '--redact-keys: "card number,": expected names of up to 100 letters, digits, _, . or -',
  ]);
});
