/** Shells that are not on every machine, from their Debian packages, unpacked without being installed. */

import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { runBuildStep } from "./build-step.ts";
import { partFolder, type Recipe } from "./cache.ts";

export const zshRecipe = toRecipe("zsh", "5.9", ["zsh", "zsh-common"]);
/** With the one library of it that few others need. */
export const fishRecipe = toRecipe("fish", "3.6", ["fish", "fish-common"], ["libpcre2-32-0"]);

function toRecipe(name: string, version: string, own: readonly string[], others: readonly string[] = []): Recipe {
  return {
    name,
    version,
    buildNeeds: ["apt-get", "dpkg"],
    startNeeds: [],
    buildTime: "a few seconds",
    build: async (folder) => {
      const packages = [...own.map((known) => `${known}=${version}*`), ...others];
      await runBuildStep(["apt-get", "download", ...packages], folder);
      const archives = (await readdir(folder)).filter((file) => file.endsWith(".deb"));
      for (const archive of archives) await runBuildStep(["dpkg", "-x", archive, "."], folder);
    },
  };
}

export interface ShellPart {
  command: string[];
  env: Record<string, string>;
}

/** An interactive zsh; `home`: an empty folder, in which it finds nothing but what is written here. */
export async function zshPart(home: string): Promise<ShellPart> {
  const folder = partFolder(zshRecipe);
  const [modules] = new Bun.Glob("usr/lib/*/zsh/*/zsh/zle.so").scanSync(folder);
  const functions = [...new Bun.Glob("usr/share/zsh/functions/**").scanSync({ cwd: folder, onlyFiles: false })];
  const paths = functions.filter((path) => /\/(Completion|Misc|Zle|[A-Z]\w+)(\/\w+)?$/.test(path));
  const setUp = [
    `module_path=(${join(folder, modules ?? "", "../..")})`,
    `fpath=(${paths.map((path) => join(folder, path)).join(" ")})`,
  ];
  await Bun.write(join(home, ".zshenv"), `${setUp.join("\n")}\n`);
  return { command: [join(folder, "bin/zsh"), "-i"], env: { ZDOTDIR: home, HOME: home } };
}

/** An interactive fish with an empty home. */
export function fishPart(home: string): ShellPart {
  const folder = partFolder(fishRecipe);
  const [library = ""] = new Bun.Glob("usr/lib/*/libpcre2-32.so.0").scanSync(folder);
  const env = { HOME: home, LD_LIBRARY_PATH: join(folder, library, "..") };
  return { command: [join(folder, "usr/bin/fish"), "-i"], env };
}
