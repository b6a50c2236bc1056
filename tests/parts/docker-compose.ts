/** docker-compose 1.29 and the Python packages that it needs, from Debian, unpacked without being installed. */

import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { runBuildStep } from "./build-step.ts";
import { partFolder, type Recipe } from "./cache.ts";
import { runTool, type ToolAnswer } from "./run-tool.ts";

/** Debian's own: its packages are made for it. */
const python = "/usr/bin/python3";

/** The packages' tree: `usr/bin/docker-compose`. */
export const dockerComposeRecipe: Recipe = {
  name: "docker-compose",
  version: "1.29",
  buildNeeds: ["apt-get", "dpkg"],
  startNeeds: [python],
  buildTime: "a few seconds",
  build: buildDockerCompose,
};

const pythonPackages = [
  "attr",
  "cached-property",
  "certifi",
  "chardet",
  "charset-normalizer",
  "distro",
  "distutils",
  "docker",
  "dockerpty",
  "docopt",
  "dotenv",
  "idna",
  "jsonschema",
  "pyrsistent",
  "requests",
  "six",
  "texttable",
  "urllib3",
  "websocket",
  "yaml",
] as const;

async function buildDockerCompose(folder: string): Promise<void> {
  const packages = pythonPackages.map((name) => `python3-${name}`);
  await runBuildStep(["apt-get", "download", `docker-compose=${dockerComposeRecipe.version}*`, ...packages], folder);
  for (const archive of (await readdir(folder)).filter((name) => name.endsWith(".deb"))) {
    await runBuildStep(["dpkg", "-x", archive, "."], folder);
    await runBuildStep(["rm", archive], folder);
  }
}

/** `config`: with exit code 0 the file as docker-compose understands it, as YAML. Needs no engine. */
export function resolveComposeFile(file: string): Promise<ToolAnswer> {
  const folder = partFolder(dockerComposeRecipe);
  const env = { PYTHONPATH: join(folder, "usr/lib/python3/dist-packages"), PYTHONDONTWRITEBYTECODE: "1" };
  return runTool([python, join(folder, "usr/bin/docker-compose"), "-f", file, "config"], { env });
}
