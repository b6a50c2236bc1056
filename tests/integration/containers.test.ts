/** The image that we ship: what its checker says, and that it is built, set and asked as the project is. */

import { describe, expect, test } from "bun:test";
import { join } from "node:path";
import packageJson from "../../package.json";
import { refuseUnguarded } from "../../src/http/open-addresses.ts";
import { runHadolint } from "../parts/hadolint.ts";
import { containerConfig, imageInstructions } from "../support/deployed-settings.ts";
import { projectFolder } from "../support/executable.ts";
import { describeWith } from "../support/requires.ts";

const file = join(projectFolder, "Dockerfile");
const lines = await imageInstructions();

describeWith("hadolint")("the Dockerfile", () => {
  test("is nothing that hadolint complains of", async () => {
    expect(await runHadolint(file)).toEqual({ exitCode: 0, output: "" });
  });
});

describe("the image", () => {
  test("is built by the pinned Bun, with the script of every other executable", () => {
    expect(lines).toContain(`FROM oven/bun:${packageJson.devDependencies.bun} AS build`);
    expect(lines.filter((line) => line.startsWith("RUN bun run compile ")).length).toBe(1);
    expect(packageJson.scripts.build).toEndWith(" && bun run compile");
  });

  test("gives the build the files that it copies, and no others", async () => {
    const ignored = (await Bun.file(join(projectFolder, ".dockerignore")).text()).split("\n");
    const given = ignored.filter((line) => line.startsWith("!")).map((line) => line.slice(1));
    const copied = lines
      .filter((line) => line.startsWith("COPY ") && !line.includes("--from="))
      .flatMap((line) => line.split(" ").slice(1, -1));
    expect(copied.toSorted()).toEqual(given.toSorted());
  });

  test("carries the version of the project", () => {
    expect(lines.join(" ")).toContain(`org.opencontainers.image.version="${packageJson.version}"`);
  });

  test("has settings that hold, and listens to others than itself", async () => {
    const { gatewayListen, taskServiceListen, adminListen } = await containerConfig(["serve"], {});
    expect([gatewayListen, taskServiceListen, adminListen].map(({ host }) => host)).toEqual(
      new Array(3).fill("0.0.0.0"),
    );
    const ports = [gatewayListen, taskServiceListen, adminListen].map(({ port }) => port);
    expect(lines).toContain(`EXPOSE ${ports.join(" ")}`);
  });

  test("lets nobody in before somebody has said who may", async () => {
    const told = { THROUGHLINE_ALLOW_UNAUTHENTICATED: "true" };
    const guarded = { THROUGHLINE_API_KEYS_FILE: "/keys/keys.json" };
    const [silent, ...said] = await Promise.all([{}, told, guarded].map((env) => containerConfig(["serve"], env)));
    expect(() => silent && refuseUnguarded(silent)).toThrow("--gateway-listen");
    for (const config of said) refuseUnguarded(config);
  });

  test("runs as nobody in particular", () => {
    expect(lines.filter((line) => line.startsWith("USER "))).toEqual(["USER 65532:65532"]);
  });
});
