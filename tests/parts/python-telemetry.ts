/** OpenTelemetry's SDK for Python with its exporters, from PyPI, as a user of Python installs it. */

import { join } from "node:path";
import { runBuildStep } from "./build-step.ts";
import { partFolder, type Recipe } from "./cache.ts";

const packages = [
  "opentelemetry-sdk==1.45.1",
  "opentelemetry-exporter-otlp-proto-http==1.45.1",
  // JSON has a package, and a version, of its own.
  "opentelemetry-exporter-otlp-json-http==0.66b1",
];

/** In `lib`, for PYTHONPATH. */
export const pythonTelemetryRecipe: Recipe = {
  name: "python-telemetry",
  version: "1.45.1",
  buildNeeds: ["python3"],
  startNeeds: ["python3"],
  buildTime: "a few seconds",
  build: (folder) => runBuildStep(["python3", "-m", "pip", "install", "--quiet", "--target=lib", ...packages], folder),
};

/** What finds it. */
export function pythonTelemetryEnv(): Record<string, string> {
  return { PYTHONPATH: join(partFolder(pythonTelemetryRecipe), "lib"), PYTHONDONTWRITEBYTECODE: "1" };
}
