/** All real parts by name, and whether this machine can start them. */

import { boto3Recipe } from "./boto3.ts";
import { isBuilt, type Recipe } from "./cache.ts";
import { chromiumRecipe } from "./chromium.ts";
import { collectorRecipe } from "./collector.ts";
import { fishRecipe, zshRecipe } from "./debian-shell.ts";
import { dockerComposeRecipe } from "./docker-compose.ts";
import { dynamoDbRecipe } from "./dynamodb.ts";
import { elasticMqRecipe } from "./elasticmq.ts";
import { grpcurlRecipe } from "./grpcurl.ts";
import { hadolintRecipe } from "./hadolint.ts";
import { jaegerRecipe } from "./jaeger.ts";
import { kubernetesRecipe } from "./kubernetes.ts";
import { openapiTypescriptRecipe } from "./openapi-typescript.ts";
import { celeryRecipe, nodePeersRecipe } from "./peers.ts";
import { postgresRecipe } from "./postgres.ts";
import { prometheusRecipe } from "./prometheus.ts";
import { pythonTelemetryRecipe } from "./python-telemetry.ts";
import { redisRecipe } from "./redis.ts";
import { schemathesisRecipe } from "./schemathesis.ts";
import { toxiproxyRecipe } from "./toxiproxy.ts";

/** Every part that a test may ask for. */
export const recipes = {
  boto3: boto3Recipe,
  celery: celeryRecipe,
  chromium: chromiumRecipe,
  collector: collectorRecipe,
  dockerCompose: dockerComposeRecipe,
  dynamodb: dynamoDbRecipe,
  elasticmq: elasticMqRecipe,
  fish: fishRecipe,
  grpcurl: grpcurlRecipe,
  hadolint: hadolintRecipe,
  jaeger: jaegerRecipe,
  kubernetes: kubernetesRecipe,
  nodePeers: nodePeersRecipe,
  openapiTypescript: openapiTypescriptRecipe,
  postgres: postgresRecipe,
  prometheus: prometheusRecipe,
  pythonTelemetry: pythonTelemetryRecipe,
  schemathesis: schemathesisRecipe,
  redis: redisRecipe,
  toxiproxy: toxiproxyRecipe,
  zsh: zshRecipe,
} as const satisfies Record<string, Recipe>;

export type PartName = keyof typeof recipes;

/** Under CI a part that can't be had is a failure; elsewhere its tests are skipped, loudly. */
export function mustHaveParts(): boolean {
  const { CI } = process.env;
  return CI !== undefined && CI !== "" && CI !== "false";
}

/** Commands that the part needs on the PATH, to be built if it is not and to start, and that are not there. */
export function missingCommands(recipe: Recipe): string[] {
  const needs = isBuilt(recipe) ? recipe.startNeeds : [...recipe.buildNeeds, ...recipe.startNeeds];
  return [...new Set(needs)].filter((command) => Bun.which(command) === null);
}

/** Why the part can't be started here; undefined when it can. */
export function whyMissing(name: PartName): string | undefined {
  const recipe: Recipe = recipes[name];
  const commands = missingCommands(recipe);
  if (commands.length > 0) {
    return `${recipe.name} ${recipe.version} needs ${commands.join(" and ")}`;
  }
  return isBuilt(recipe) ? undefined : `${recipe.name} ${recipe.version} is not built, "bun run parts" builds it`;
}
