/** The AWS SDK for Python, from PyPI, as a user of Python installs it. */

import { join } from "node:path";
import { runBuildStep } from "./build-step.ts";
import { partFolder, type Recipe } from "./cache.ts";

/** In `lib`, for PYTHONPATH. */
export const boto3Recipe: Recipe = {
  name: "boto3",
  version: "1.43.11",
  buildNeeds: ["python3"],
  startNeeds: ["python3"],
  buildTime: "a few seconds",
  build: (folder) => {
    const command = ["python3", "-m", "pip", "install", "--quiet", "--target=lib", `boto3==${boto3Recipe.version}`];
    return runBuildStep(command, folder);
  },
};

/** What finds it. */
export function boto3Env(): Record<string, string> {
  return { PYTHONPATH: join(partFolder(boto3Recipe), "lib"), PYTHONDONTWRITEBYTECODE: "1" };
}
