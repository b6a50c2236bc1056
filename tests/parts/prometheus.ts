/** Prometheus and promtool: a real server that scrapes, from the Debian package, unpacked without being installed. */

import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { tempFolder } from "../support/temp-folder.ts";
import { runBuildStep } from "./build-step.ts";
import { partFolder, type Recipe } from "./cache.ts";
import { freePort, startOnFreePorts } from "./free-port.ts";
import { launch, type Part } from "./launch.ts";
import { runTool, type ToolAnswer } from "./run-tool.ts";

/** The package's tree: `usr/bin/prometheus` and `usr/bin/promtool`. */
export const prometheusRecipe: Recipe = {
  name: "prometheus",
  version: "2.42",
  buildNeeds: ["apt-get", "dpkg"],
  startNeeds: [],
  buildTime: "a few seconds",
  build: buildPrometheus,
};

async function buildPrometheus(folder: string): Promise<void> {
  await runBuildStep(["apt-get", "download", `prometheus=${prometheusRecipe.version}*`], folder);
  const [archive = ""] = (await readdir(folder)).filter((name) => name.endsWith(".deb"));
  await runBuildStep(["dpkg", "-x", archive, "."], folder);
}

/** One sample as a query gives it. */
export interface Sample {
  labels: Record<string, string>;
  value: number;
}

export interface PrometheusPart extends Part {
  /** An instant query in PromQL. */
  query(expression: string): Promise<Sample[]>;
  /** Trace ids of the exemplars that the server keeps of a metric. */
  exemplars(selector: string): Promise<string[]>;
}

export interface ScrapeJob {
  name: string;
  /** `http://host:port`; `/metrics` is asked. */
  url: string;
}

/**
 * Starts it on a free port, with exemplars, scraping these and evaluating the rules of these files each second. Takes
 * about a second.
 */
export async function startPrometheus(
  jobs: readonly ScrapeJob[],
  ruleFiles: readonly string[] = [],
): Promise<PrometheusPart> {
  const folder = await tempFolder();
  try {
    const config = toConfig(jobs, ruleFiles);
    const part = await startOnFreePorts(async () => launchOn(await freePort(), folder.path, config));
    const stop = async (): Promise<void> => {
      await part.stop();
      await folder[Symbol.asyncDispose]();
    };
    return { ...part, stop, [Symbol.asyncDispose]: stop };
  } catch (error) {
    await folder[Symbol.asyncDispose]();
    throw error;
  }
}

async function launchOn(port: number, folder: string, config: unknown): Promise<PrometheusPart> {
  const url = `http://127.0.0.1:${port}`;
  const configFile = join(folder, "prometheus.yml");
  // JSON is YAML.
  await Bun.write(configFile, JSON.stringify(config));
  const launched = await launch({
    name: "Prometheus",
    command: [
      join(partFolder(prometheusRecipe), "usr/bin/prometheus"),
      `--config.file=${configFile}`,
      `--storage.tsdb.path=${join(folder, "data")}`,
      `--web.listen-address=127.0.0.1:${port}`,
      "--enable-feature=exemplar-storage",
    ],
    env: {},
    readyLine: "Server is ready to receive web requests",
    answers: async () => (await fetch(`${url}/-/ready`)).ok,
  });
  const ask = async (path: string, query: Record<string, string>): Promise<unknown> => {
    const answer = await fetch(`${url}/api/v1/${path}?${new URLSearchParams(query)}`);
    if (!answer.ok) throw new Error(`Prometheus answered ${answer.status} to ${path}: ${await answer.text()}`);
    return (await answer.json()).data;
  };
  return {
    url,
    ...launched,
    query: async (expression) => {
      // Its API: an instant vector.
      const { result } = (await ask("query", { query: expression })) as { result: InstantSample[] };
      return result.map(({ metric, value: [, text] }) => ({ labels: metric, value: Number(text) }));
    },
    exemplars: async (selector) => {
      const now = Date.now() / 1000;
      const range = { start: String(now - 3600), end: String(now + 60) };
      // Its API: the exemplars of each series.
      const found = (await ask("query_exemplars", { query: selector, ...range })) as { exemplars: KeptExemplar[] }[];
      return found.flatMap(({ exemplars }) => exemplars.map(({ labels }) => labels.trace_id ?? ""));
    },
    [Symbol.asyncDispose]: launched.stop,
  };
}

interface InstantSample {
  metric: Record<string, string>;
  value: [atSeconds: number, text: string];
}

interface KeptExemplar {
  labels: Record<string, string>;
}

function toConfig(jobs: readonly ScrapeJob[], ruleFiles: readonly string[]): unknown {
  return {
    global: { scrape_interval: "1s", scrape_timeout: "1s", evaluation_interval: "1s" },
    rule_files: ruleFiles,
    scrape_configs: jobs.map(({ name, url }) => ({
      job_name: name,
      static_configs: [{ targets: [new URL(url).host] }],
    })),
  };
}

/** What `promtool check metrics` says about a scrape; empty when it has no complaint. */
export async function checkMetrics(text: string): Promise<string> {
  const { exitCode, output } = await runPromtool(["check", "metrics"], text);
  return exitCode === 0 ? "" : `exit code ${exitCode}: ${output}`;
}

/** Runs promtool to its end. */
export function runPromtool(args: readonly string[], stdin = ""): Promise<ToolAnswer> {
  return runTool([join(partFolder(prometheusRecipe), "usr/bin/promtool"), ...args], { stdin });
}
