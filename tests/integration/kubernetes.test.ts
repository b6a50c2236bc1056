/** The files for Kubernetes that we ship, as kustomize builds them. */

import { beforeAll, describe, expect, test } from "bun:test";
import { join } from "node:path";
import { taskRoles as roles } from "../../src/config.ts";
import { refuseUnguarded } from "../../src/http/open-addresses.ts";
import { buildKustomization, checkObjects } from "../parts/kubernetes.ts";
import { containerConfig, type Environment } from "../support/deployed-settings.ts";
import { projectFolder } from "../support/executable.ts";
import { codeWords, readDoc } from "../support/markdown.ts";
import { metricsIn } from "../support/promql.ts";
import { describeWith } from "../support/requires.ts";

const limitMs = 60_000;
const folder = join(projectFolder, "deploy/kubernetes");
const allValid = { exitCode: 0, output: expect.stringContaining("Invalid: 0, Errors: 0, Skipped: 0") };

interface KubernetesObject {
  kind: string;
  metadata: { name: string };
}

interface Probe {
  httpGet: { path: string; port: string };
}

interface Deployment extends KubernetesObject {
  spec: {
    template: {
      metadata: { labels: Record<string, string> };
      spec: {
        serviceAccountName: string;
        terminationGracePeriodSeconds: number;
        securityContext: { runAsNonRoot: boolean };
        containers: Container[];
      };
    };
  };
}

interface NetworkPolicy extends KubernetesObject {
  spec: { podSelector: { matchLabels: Record<string, string> } };
}

interface Container {
  image: string;
  args: string[];
  livenessProbe: Probe;
  readinessProbe: Probe;
  resources: { requests: Record<string, string>; limits: Record<string, string> };
  securityContext: { readOnlyRootFilesystem: boolean; allowPrivilegeEscalation: boolean };
}

describeWith("kubernetes")("the kustomization", () => {
  let yaml: string;
  let objects: KubernetesObject[];
  let deployments: Deployment[];

  beforeAll(async () => {
    const { exitCode, output } = await buildKustomization(folder);
    expect({ exitCode, problems: exitCode === 0 ? "" : output }).toEqual({ exitCode: 0, problems: "" });
    yaml = output;
    // Their form is held by the schemas.
    objects = yaml.split(/^---$/m).map((each) => Bun.YAML.parse(each) as KubernetesObject);
    deployments = objects.filter((each): each is Deployment => each.kind === "Deployment");
  }, limitMs);

  const namesOf = (kind: string): string[] =>
    objects.flatMap((each) => (each.kind === kind ? each.metadata.name : [])).sort();

  test(
    "is valid by the schemas of Kubernetes and KEDA, and so is the other way to scale",
    async () => {
      const hpa = await Bun.file(join(folder, "worker-scaling-hpa.yaml")).text();
      expect(await checkObjects(`${yaml}---\n${hpa}`)).toEqual(allValid);
    },
    limitMs,
  );

  test(
    "is refused where a field is misspelt, of KEDA's objects as of others",
    async () => {
      const fields = ["pollingInterval", "unhealthyPodEvictionPolicy", "readOnlyRootFilesystem"];
      const broken = fields.reduce((text, field) => text.replace(`${field}:`, `${field}s:`), yaml);
      const { exitCode, output } = await checkObjects(broken);
      expect([exitCode, fields.filter((field) => output.includes(`'${field}s'`))]).toEqual([1, fields]);
    },
    limitMs,
  );

  test("has for each role a deployment, a service, an account, and a disruption budget", () => {
    const each = [...roles].sort();
    const kinds = ["Deployment", "Service", "ServiceAccount", "PodDisruptionBudget"];
    expect(Object.fromEntries(kinds.map((kind) => [kind, namesOf(kind)]))).toEqual(
      Object.fromEntries(kinds.map((kind) => [kind, each])),
    );
    for (const { metadata, spec } of deployments) {
      const { serviceAccountName: account, containers } = spec.template.spec;
      expect([account, containers.map(({ args }) => args.includes(`--role=${metadata.name}`))]).toEqual([
        metadata.name,
        [true],
      ]);
    }
  });

  test("lets nobody but those it names ask a pod", () => {
    const policies = objects.filter((each): each is NetworkPolicy => each.kind === "NetworkPolicy");
    const chosenBy = (labels: Record<string, string>): string[] =>
      policies.flatMap(({ metadata, spec }) =>
        Object.entries(spec.podSelector.matchLabels).every(([label, value]) => labels[label] === value)
          ? metadata.name
          : [],
      );
    const chosen = deployments.map(({ metadata, spec }) => [metadata.name, chosenBy(spec.template.metadata.labels)]);
    expect(Object.fromEntries(chosen)).toEqual({
      gateway: ["admin", "api"],
      "task-service": ["admin", "rpc"],
      worker: ["admin"],
      dlq: ["admin"],
    });
  });

  test("asks for the health, gives a drain its time, and gives no rights", () => {
    for (const { spec } of deployments) {
      const { terminationGracePeriodSeconds: grace, securityContext, containers } = spec.template.spec;
      expect(grace).toBeGreaterThan(25 + 10);
      expect(securityContext.runAsNonRoot).toBe(true);
      expect(containers).toEqual([
        expect.objectContaining({
          image: expect.stringMatching(/:\d+\.\d+\.\d+$/),
          livenessProbe: expect.objectContaining({ httpGet: { path: "/health/live", port: "admin" } }),
          readinessProbe: expect.objectContaining({ httpGet: { path: "/health/ready", port: "admin" } }),
          resources: { requests: expect.anything(), limits: expect.anything() },
          securityContext: expect.objectContaining({ readOnlyRootFilesystem: true, allowPrivilegeEscalation: false }),
        }),
      ]);
    }
  });

  test("gives every role settings that hold, with nothing on its own disk", async () => {
    const [settings] = objects.filter((each): each is KubernetesObject & { data: Environment } => "data" in each);
    for (const { spec } of deployments) {
      for (const { args } of spec.template.spec.containers) {
        const config = await containerConfig(args, settings?.data ?? {});
        const { store, queue } = config;
        refuseUnguarded(config);
        expect<unknown>({ store, queue }).toEqual({ store: "dynamodb", queue: "sqs" });
      }
    }
  });
});

describe("the scaling of workers", () => {
  test("asks for metrics that are there", async () => {
    const text = await Bun.file(join(folder, "worker-scaling-keda.yaml")).text();
    const queries = [...text.matchAll(/query: (.+)/g)].flatMap(([, query = ""]) => metricsIn(query));
    expect(queries.toSorted()).toEqual(["sqs_queue_depth", "task_oldest_age_seconds"]);
    const known = codeWords(await readDoc("docs/telemetry.md"));
    expect(queries.filter((name) => !known.includes(name))).toEqual([]);
  });
});
