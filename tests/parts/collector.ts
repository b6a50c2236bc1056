/** The OpenTelemetry Collector: built from its Go modules by its own builder, with the components that we ship for. */

import { join } from "node:path";
import { projectFolder } from "../support/executable.ts";
import { runBuildStep } from "./build-step.ts";
import { partFolder, type Recipe } from "./cache.ts";
import { freePort, startOnFreePorts } from "./free-port.ts";
import { launch, type Part } from "./launch.ts";

/** The `otelcol` executable. */
export const collectorRecipe: Recipe = {
  name: "otel-collector",
  version: "0.145.0",
  buildNeeds: ["go"],
  startNeeds: [],
  buildTime: "about two minutes",
  build: buildCollector,
};

const core = "go.opentelemetry.io/collector";
const contrib = "github.com/open-telemetry/opentelemetry-collector-contrib";
/** The providers of the configuration have a version of their own, which belongs to that of the recipe. */
const providerVersion = "1.51.0";

const components: Record<"receivers" | "processors" | "exporters", readonly string[]> = {
  receivers: [`${core}/receiver/otlpreceiver`],
  processors: [
    `${core}/processor/batchprocessor`,
    `${core}/processor/memorylimiterprocessor`,
    `${contrib}/processor/tailsamplingprocessor`,
  ],
  exporters: [
    `${core}/exporter/debugexporter`,
    `${core}/exporter/otlphttpexporter`,
    `${contrib}/exporter/fileexporter`,
    `${contrib}/exporter/prometheusexporter`,
  ],
};

async function buildCollector(folder: string): Promise<void> {
  const { version } = collectorRecipe;
  const env = { GOWORK: "off", CGO_ENABLED: "0", GOBIN: folder };
  await runBuildStep(["go", "install", `${core}/cmd/builder@v${version}`], folder, env);
  await Bun.write(join(folder, "manifest.yaml"), JSON.stringify(manifest(version)));
  await runBuildStep([join(folder, "builder"), "--config=manifest.yaml"], folder, env);
  await runBuildStep(["mv", "out/otelcol", "otelcol"], folder);
  await runBuildStep(["rm", "-r", "out", "builder"], folder);
}

/** JSON is YAML. */
function manifest(version: string): unknown {
  const withVersion = (modules: readonly string[]) => modules.map((module) => ({ gomod: `${module} v${version}` }));
  return {
    dist: { name: "otelcol", version, output_path: "./out" },
    receivers: withVersion(components.receivers),
    processors: withVersion(components.processors),
    exporters: withVersion(components.exporters),
    providers: ["env", "file", "yaml"].map((name) => ({
      gomod: `${core}/confmap/provider/${name}provider v${providerVersion}`,
    })),
  };
}

/** Its `url` is where it takes OTLP over HTTP: `OTEL_EXPORTER_OTLP_ENDPOINT`. */
export interface CollectorPart extends Part {
  /** Where its Prometheus exporter answers, `/metrics` below it. */
  prometheusUrl: string;
}

/** Variables of the configuration that we ship, beside the addresses. */
export type CollectorEnv = Partial<
  Record<"TRACES_ENDPOINT" | "TAIL_DECISION_WAIT" | "TAIL_SLOW_MS" | "TAIL_PERCENTAGE", string>
>;

/** Starts one with the configuration that we ship. Takes about a second. */
export function startCollector(env: CollectorEnv = {}): Promise<CollectorPart> {
  return startOnFreePorts(async () => launchOn(await freePort(), await freePort(), env));
}

async function launchOn(otlpPort: number, prometheusPort: number, env: CollectorEnv): Promise<CollectorPart> {
  const url = `http://127.0.0.1:${otlpPort}`;
  const prometheusUrl = `http://127.0.0.1:${prometheusPort}`;
  const launched = await launch({
    name: "the OpenTelemetry Collector",
    command: [
      join(partFolder(collectorRecipe), "otelcol"),
      `--config=${join(projectFolder, "deploy/collector.yaml")}`,
      // Its metrics about itself would be on a port that two of them share.
      "--set=service.telemetry.metrics.level=none",
    ],
    env: {
      OTLP_HTTP_LISTEN: `127.0.0.1:${otlpPort}`,
      OTLP_GRPC_LISTEN: "127.0.0.1:0",
      PROMETHEUS_LISTEN: `127.0.0.1:${prometheusPort}`,
      ...env,
    },
    readyLine: "Everything is ready",
    answers: async () => (await takesMetrics(url)) && (await fetch(`${prometheusUrl}/metrics`)).ok,
  });
  return { url, prometheusUrl, ...launched, [Symbol.asyncDispose]: launched.stop };
}

/** An export of nothing is a valid one. */
async function takesMetrics(url: string): Promise<boolean> {
  const headers = { "content-type": "application/json" };
  return (await fetch(`${url}/v1/metrics`, { method: "POST", headers, body: "{}" })).ok;
}

export interface ForwardOptions {
  encoding: "proto" | "json";
  compression: "gzip" | "none";
}

/** Starts one that hands on the spans and log records that it takes to `target`, as an agent beside a program does. */
export function startForwarder(target: string, options: ForwardOptions): Promise<Part> {
  return startOnFreePorts(async () => launchForwarder(await freePort(), target, options));
}

async function launchForwarder(port: number, target: string, { encoding, compression }: ForwardOptions): Promise<Part> {
  const url = `http://127.0.0.1:${port}`;
  const pipeline = { receivers: ["otlp"], processors: ["batch"], exporters: ["otlphttp"] };
  const config = {
    receivers: { otlp: { protocols: { http: { endpoint: `127.0.0.1:${port}` } } } },
    processors: { batch: { timeout: "50ms" } },
    exporters: { otlphttp: { endpoint: target, encoding, compression } },
    service: { telemetry: { metrics: { level: "none" } }, pipelines: { traces: pipeline, logs: pipeline } },
  };
  const launched = await launch({
    name: "the OpenTelemetry Collector",
    command: [join(partFolder(collectorRecipe), "otelcol"), `--config=yaml:${JSON.stringify(config)}`],
    env: {},
    readyLine: "Everything is ready",
    answers: async () => {
      const headers = { "content-type": "application/json" };
      return (await fetch(`${url}/v1/traces`, { method: "POST", headers, body: "{}" })).ok;
    },
  });
  return { url, ...launched, [Symbol.asyncDispose]: launched.stop };
}
