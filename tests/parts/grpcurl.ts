/** grpcurl: a gRPC client that knows of a server only what the server tells by reflection; built from its Go module. */

import { join } from "node:path";
import { runBuildStep } from "./build-step.ts";
import { partFolder, type Recipe } from "./cache.ts";

/** The `grpcurl` executable. */
export const grpcurlRecipe: Recipe = {
  name: "grpcurl",
  version: "1.9.4",
  buildNeeds: ["go"],
  startNeeds: [],
  buildTime: "about a minute",
  build: buildGrpcurl,
};

const goPackage = "github.com/fullstorydev/grpcurl/cmd/grpcurl";

/** Longer than any call of a test; without a limit a call that is not answered would hold its test for ever. */
const limitSeconds = 30;

async function buildGrpcurl(folder: string): Promise<void> {
  const env = { GOWORK: "off", CGO_ENABLED: "0" };
  await runBuildStep(["go", "mod", "init", "grpcurl-part"], folder, env);
  await runBuildStep(["go", "get", `${goPackage}@v${grpcurlRecipe.version}`], folder, env);
  await runBuildStep(["go", "build", "-trimpath", "-ldflags=-s -w", "-o", "grpcurl", goPackage], folder, env);
}

export interface GrpcurlRun {
  exitCode: number;
  out: string;
  err: string;
}

/** Runs it without TLS against `url` (`http://host:port`): `grpcurl FLAGS HOST:PORT WORDS`. */
export async function grpcurl(url: string, flags: readonly string[], ...words: string[]): Promise<GrpcurlRun> {
  const executable = join(partFolder(grpcurlRecipe), "grpcurl");
  const command = ["-plaintext", `-max-time=${limitSeconds}`, ...flags, new URL(url).host, ...words];
  const run = Bun.spawn([executable, ...command], { stdin: "ignore", stdout: "pipe", stderr: "pipe" });
  const [out, err, exitCode] = await Promise.all([
    new Response(run.stdout).text(),
    new Response(run.stderr).text(),
    run.exited,
  ]);
  return { exitCode, out, err };
}
