/** Jaeger all-in-one: a real trace store for tests, built from its Go module, with its traces in memory. */

import { join } from "node:path";
import { runBuildStep } from "./build-step.ts";
import { partFolder, type Recipe } from "./cache.ts";
import { freePort, startOnFreePorts } from "./free-port.ts";
import { launch, type Part } from "./launch.ts";

/** The `jaeger` executable. Later versions do not resolve as Go modules. */
export const jaegerRecipe: Recipe = {
  name: "jaeger",
  version: "1.62.0",
  buildNeeds: ["go"],
  startNeeds: [],
  buildTime: "about three minutes",
  build: buildJaeger,
};

/** Its `url` answers queries: `/api/traces/ID`, `/api/services`, `/api/traces?service=S&operation=O`. */
export interface JaegerPart extends Part {
  /** `http://host:port` that takes OTLP over HTTP, at `/v1/traces`. */
  otlpUrl: string;
}

const goPackage = "github.com/jaegertracing/jaeger/cmd/all-in-one";

/** The listeners that no test asks. Port 0 lets the system choose, so two Jaegers never meet on the usual ports. */
const otherListeners = [
  "admin.http",
  "collector.grpc-server",
  "collector.http-server",
  "collector.otlp.grpc",
  "http-server",
  "query.grpc-server",
] as const;
const udpListeners = ["jaeger-binary", "jaeger-compact", "zipkin-compact"] as const;

async function buildJaeger(folder: string): Promise<void> {
  const env = { GOWORK: "off", CGO_ENABLED: "0" };
  await runBuildStep(["go", "mod", "init", "jaeger-part"], folder, env);
  await runBuildStep(["go", "get", `${goPackage}@v${jaegerRecipe.version}`], folder, env);
  await runBuildStep(["go", "build", "-trimpath", "-ldflags=-s -w", "-o", "jaeger", goPackage], folder, env);
}

/** Starts it on free ports. Takes well under a second. */
export function startJaeger(): Promise<JaegerPart> {
  return startOnFreePorts(async () => launchOn(await freePort(), await freePort()));
}

async function launchOn(queryPort: number, otlpPort: number): Promise<JaegerPart> {
  const url = `http://127.0.0.1:${queryPort}`;
  const otlpUrl = `http://127.0.0.1:${otlpPort}`;
  const launched = await launch({
    name: "Jaeger",
    command: [join(partFolder(jaegerRecipe), "jaeger"), ...listenerFlags(queryPort, otlpPort)],
    // Its own spans would go to the usual OTLP port, whoever listens there.
    env: { SPAN_STORAGE_TYPE: "memory", OTEL_TRACES_SAMPLER: "always_off" },
    readyLine: '"status":"ready"',
    answers: async () => (await fetch(`${url}/api/services`)).ok && (await takesSpans(otlpUrl)),
  });
  return { url, otlpUrl, ...launched, [Symbol.asyncDispose]: launched.stop };
}

function listenerFlags(queryPort: number, otlpPort: number): string[] {
  return [
    `--query.http-server.host-port=127.0.0.1:${queryPort}`,
    `--collector.otlp.http.host-port=127.0.0.1:${otlpPort}`,
    ...otherListeners.map((name) => `--${name}.host-port=127.0.0.1:0`),
    ...udpListeners.map((name) => `--processor.${name}.server-host-port=127.0.0.1:0`),
  ];
}

/** An export of nothing is a valid one. */
async function takesSpans(otlpUrl: string): Promise<boolean> {
  const headers = { "content-type": "application/json" };
  return (await fetch(`${otlpUrl}/v1/traces`, { method: "POST", headers, body: "{}" })).ok;
}
