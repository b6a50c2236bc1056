/** The compose file that we ship, as docker-compose itself reads it. */

import { beforeAll, expect, test } from "bun:test";
import { join } from "node:path";
import { roles } from "../../src/config.ts";
import { refuseUnguarded } from "../../src/http/open-addresses.ts";
import { resolveComposeFile } from "../parts/docker-compose.ts";
import { containerConfig, type Environment } from "../support/deployed-settings.ts";
import { projectFolder } from "../support/executable.ts";
import { describeWith } from "../support/requires.ts";

const limitMs = 60_000;

interface Service {
  image: string;
  build?: unknown;
  command?: string[];
  environment?: Environment;
  ports?: string[];
  volumes?: string[];
  depends_on?: Record<string, { condition: string }>;
  healthcheck?: { test: string[] };
  deploy?: { replicas: number };
  restart: string;
  stop_grace_period?: string;
}

describeWith("dockerCompose")("the compose file", () => {
  let services: [name: string, service: Service][];
  let ours: [name: string, service: Service][];

  beforeAll(async () => {
    const { exitCode, output } = await resolveComposeFile(join(projectFolder, "compose.yaml"));
    expect({ exitCode, problems: exitCode === 0 ? "" : output }).toEqual({ exitCode: 0, problems: "" });
    // As docker-compose prints it.
    services = Object.entries((Bun.YAML.parse(output) as { services: Record<string, Service> }).services);
    ours = services.filter(([, { build }]) => build !== undefined);
  }, limitMs);

  test("runs each role in a container of its own, and two workers", () => {
    const started = ours.map(([, { command = [] }]) => command.find((arg) => arg.startsWith("--role=")));
    expect(started.toSorted()).toEqual(roles.map((role) => `--role=${role}`).toSorted());
    expect(ours.find(([name]) => name === "worker")?.[1].deploy?.replicas).toBe(2);
  });

  test("gives every role settings that hold, with nothing on its own disk", async () => {
    for (const [, { command = [], environment = {} }] of ours) {
      const config = await containerConfig(command, environment);
      const { store, queue, role } = config;
      refuseUnguarded(config);
      expect<unknown>({ role, store, queue }).toEqual({ role, store: "dynamodb", queue: "sqs" });
    }
  });

  test("waits longer for a role than its drain may take", async () => {
    for (const [name, { stop_grace_period: grace = "" }] of ours) {
      expect({ name, isLonger: Number.parseInt(grace, 10) * 1000 > 25_000 + 10_000 }).toEqual({ name, isLonger: true });
    }
  });

  test("names one version of every image", () => {
    const foreign = services.filter(([, { build }]) => build === undefined).map(([, { image }]) => image);
    expect(foreign.length).toBeGreaterThan(5);
    expect(foreign.filter((image) => !/:v?\d+\.\d+\.\d+$/.test(image))).toEqual([]);
  });

  test("can be reached from this machine only", () => {
    const published = services.flatMap(([, { ports = [] }]) => ports);
    expect(published.length).toBeGreaterThan(5);
    expect(published.filter((port) => !port.startsWith("127.0.0.1:"))).toEqual([]);
  });

  test("waits for what can tell that it is healthy, and starts everything again that ends", () => {
    const byName = new Map(services);
    // The image of ours has its own check.
    const isAsked = (name: string): boolean => {
      const service = byName.get(name);
      return service?.build !== undefined || ![undefined, "NONE"].includes(service?.healthcheck?.test[0]);
    };
    const unasked = services.map(([name]) => name).filter((name) => !isAsked(name));
    expect(unasked).toEqual(["collector"]);
    for (const [name, { depends_on: needed = {}, restart }] of services) {
      expect({ name, restart }).toEqual({ name, restart: "unless-stopped" });
      for (const [other, { condition }] of Object.entries(needed)) {
        expect({ name, other, condition }).toEqual({
          name,
          other,
          condition: isAsked(other) ? "service_healthy" : "service_started",
        });
      }
    }
  });

  test("mounts what is there", async () => {
    const mounted = services.flatMap(([, { volumes = [] }]) => volumes.map((volume) => volume.split(":")[0] ?? ""));
    expect(mounted.length).toBeGreaterThan(4);
    for (const path of mounted) expect([path, (await Bun.file(path).stat()).size > 0]).toEqual([path, true]);
  });
});
