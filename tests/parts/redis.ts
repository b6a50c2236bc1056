/** Redis: what BullMQ and Celery stand on, from Debian's packages, unpacked without being installed. */

import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { tempFolder } from "../support/temp-folder.ts";
import { runBuildStep } from "./build-step.ts";
import { partFolder, type Recipe } from "./cache.ts";
import { freePort, startOnFreePorts } from "./free-port.ts";
import { launch, type Part } from "./launch.ts";

/** The packages' tree: `usr/bin/redis-server`. */
export const redisRecipe: Recipe = {
  name: "redis",
  version: "7.0",
  buildNeeds: ["apt-get", "dpkg"],
  startNeeds: [],
  buildTime: "a few seconds",
  build: buildRedis,
};

/** `redis-server` lies in the package of its tools; the others are libraries that not every machine has. */
const packages = [
  `redis-tools=5:${redisRecipe.version}*`,
  `redis-server=5:${redisRecipe.version}*`,
  "libatomic1",
  "libjemalloc2",
  "liblua5.1-0",
  "liblzf1",
  "lua-bitop",
  "lua-cjson",
] as const;

async function buildRedis(folder: string): Promise<void> {
  await runBuildStep(["apt-get", "download", ...packages], folder);
  for (const archive of (await readdir(folder)).filter((name) => name.endsWith(".deb"))) {
    await runBuildStep(["dpkg", "-x", archive, "."], folder);
    await runBuildStep(["rm", archive], folder);
  }
}

/** Starts it empty on a free port, with `url` as `redis://…`; `settings` as on its command line. */
export async function startRedis(settings: readonly string[] = []): Promise<Part> {
  const folder = await tempFolder();
  try {
    const part = await startOnFreePorts(async () => launchOn(await freePort(), folder.path, settings));
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

async function launchOn(port: number, folder: string, settings: readonly string[]) {
  const tree = partFolder(redisRecipe);
  const own = ["--port", String(port), "--bind", "127.0.0.1", "--dir", folder, "--save", ""];
  const launched = await launch({
    name: "Redis",
    command: [join(tree, "usr/bin/redis-server"), ...own, ...settings],
    env: { LD_LIBRARY_PATH: join(tree, "usr/lib", multiarch()) },
    readyLine: "Ready to accept connections",
    answers: async () => true,
  });
  return { ...launched, url: `redis://127.0.0.1:${port}` };
}

/** Debian's name of this machine's architecture, in which its libraries lie. */
function multiarch(): string {
  return process.arch === "arm64" ? "aarch64-linux-gnu" : "x86_64-linux-gnu";
}
