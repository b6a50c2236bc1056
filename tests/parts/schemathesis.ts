/** schemathesis: tries an API with what its OpenAPI document allows and with what it does not, and judges the answers. */

import { join } from "node:path";
import { projectFolder } from "../support/executable.ts";
import { tempFolder } from "../support/temp-folder.ts";
import { runBuildStep } from "./build-step.ts";
import { partFolder, type Recipe } from "./cache.ts";
import { runTool, type ToolAnswer } from "./run-tool.ts";

/** A folder of Python packages. */
export const schemathesisRecipe: Recipe = {
  name: "schemathesis",
  version: "4.32.5",
  buildNeeds: ["python3"],
  startNeeds: ["python3"],
  buildTime: "half a minute",
  build: buildSchemathesis,
};

async function buildSchemathesis(folder: string): Promise<void> {
  const pip = ["python3", "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--target", "."];
  // What it makes requests up with: the same seed gives the same requests with the same version.
  await runBuildStep([...pip, `schemathesis==${schemathesisRecipe.version}`, "hypothesis==6.170.15"], folder);
}

export interface Trial {
  /** Of the gateway. */
  url: string;
  seconds: number;
  seed: number;
}

/** Every check on every operation. Exit code 0: nothing was found; else the output tells what, with a request that shows it. */
export async function tryApi({ url, seconds, seed }: Trial): Promise<ToolAnswer> {
  // It keeps examples where it is started.
  await using folder = await tempFolder();
  return await runTool(
    [
      ...["python3", "-m", "schemathesis.cli", "--no-color"],
      `--config-file=${join(projectFolder, "tests/fixtures/schemathesis.toml")}`,
      ...["run", `--max-time=${seconds}`, `--seed=${seed}`, "--continue-on-failure"],
      // A wait for a task's end is held for up to a minute.
      "--request-timeout=75",
      // About how well its own guesses fit, not about the API.
      "--suppress-health-check=all",
      `${url}/openapi.json`,
    ],
    { cwd: folder.path, env: { PATH: process.env.PATH ?? "", PYTHONPATH: partFolder(schemathesisRecipe) } },
  );
}
