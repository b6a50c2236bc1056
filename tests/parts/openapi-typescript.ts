/** openapi-typescript: types of a client from an OpenAPI document. With a compiler of its own: it needs one before 7. */

import { join } from "node:path";
import { runBuildStep } from "./build-step.ts";
import { partFolder, type Recipe } from "./cache.ts";
import { runTool, type ToolAnswer } from "./run-tool.ts";

/** A folder with the package and its compiler. */
export const openapiTypescriptRecipe: Recipe = {
  name: "openapi-typescript",
  version: "7.13.0",
  buildNeeds: [],
  startNeeds: [],
  buildTime: "a few seconds",
  build: buildOpenapiTypescript,
};

async function buildOpenapiTypescript(folder: string): Promise<void> {
  await Bun.write(join(folder, "package.json"), '{"private":true}');
  const packages = [`openapi-typescript@${openapiTypescriptRecipe.version}`, "typescript@5.9.3"];
  await runBuildStep([process.execPath, "add", "--exact", ...packages], folder);
}

/** Writes the types of this document, a file, to that file. */
export function generateTypes(document: string, types: string): Promise<ToolAnswer> {
  const program = join(partFolder(openapiTypescriptRecipe), "node_modules/openapi-typescript/bin/cli.js");
  return runTool([process.execPath, program, document, "-o", types]);
}
