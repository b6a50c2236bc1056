/**
 * Chromium without a window: the browser that the console's page is tried in, from Debian's packages, with the libraries
 * and the font that not every machine has, unpacked without being installed.
 */

import { join } from "node:path";
import { type Browser, chromium } from "playwright-core";
import { runBuildStep } from "./build-step.ts";
import { partFolder, type Recipe } from "./cache.ts";

/** Of whatever version Debian has by now: it keeps no older one. */
export const chromiumRecipe: Recipe = {
  name: "chromium",
  version: "debian",
  buildNeeds: ["apt-get", "apt-cache", "dpkg"],
  startNeeds: [],
  buildTime: "half a minute",
  build: buildChromium,
};

/** What every system that runs Bun has, and what only a screen needs. */
const leftOut =
  "libc6|libgcc-s1|libstdc\\+\\+6|libllvm.*|libgl1-mesa-dri|libz3-.*|libdebian-installer4|libnewt.*|libelogind0";
const relations = ["recommends", "suggests", "conflicts", "breaks", "replaces", "enhances", "pre-depends"];

async function buildChromium(folder: string): Promise<void> {
  const closure = `apt-cache depends --recurse ${relations.map((each) => `--no-${each}`).join(" ")} chromium-headless-shell`;
  const libraries = `$(${closure} | grep -E '^lib' | grep -vE '^(${leftOut})$' | sort -u)`;
  const packages = `chromium-headless-shell chromium-common fonts-dejavu-core fontconfig-config ${libraries}`;
  await runBuildStep(["sh", "-c", `apt-get download ${packages}`], folder);
  await runBuildStep(["sh", "-c", "for deb in *.deb; do dpkg -x $deb . && rm $deb; done"], folder);
}

/** Starts it with nothing remembered; each context of it is a browser of its own. */
export function startChromium(): Promise<Browser> {
  const tree = partFolder(chromiumRecipe);
  const multiarch = process.arch === "arm64" ? "aarch64-linux-gnu" : "x86_64-linux-gnu";
  // libpulse finds the part that it keeps for itself by an absolute path, which is not in the tree.
  const folders = [`usr/lib/${multiarch}`, `lib/${multiarch}`, `usr/lib/${multiarch}/pulseaudio`];
  const libraries = folders.map((folder) => join(tree, folder));
  return chromium.launch({
    executablePath: join(tree, "usr/lib/chromium/chromium-headless-shell"),
    // Its sandbox needs what a container does not give; it opens nothing but our own page.
    args: ["--no-sandbox"],
    env: { PATH: process.env.PATH ?? "", HOME: tree, LD_LIBRARY_PATH: libraries.join(":"), FONTCONFIG_SYSROOT: tree },
  });
}
