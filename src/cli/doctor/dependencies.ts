/** What `throughline doctor` sees of the things that the roles depend on: the store, the queues, the collector. */

import { accessSync, constants, existsSync, statfsSync, statSync } from "node:fs";
import { dirname } from "node:path";
import { isFolderLocked } from "../../broker/folder-lock.ts";
import type { Config } from "../../config.ts";
import { isNearlyFull } from "../../host/free-disk.ts";
import { judgeTaskQueue, lookAtQueue, parsePolicy, type QueueLook } from "../../queue/queue-look.ts";
import { needsStore } from "../../role.ts";
import { isStorePrepared } from "../../store/open-store.ts";
import { previewOpening } from "../../store/sqlite/sqlite.ts";
import { probeExport } from "../../telemetry/export/otlp-exporter.ts";
import { toFailure } from "../../words/errors.ts";
import { type Finding, failed, ok, warn } from "./finding.ts";

export async function lookAtStore(config: Config): Promise<Finding[]> {
  return config.store === "dynamodb" ? [await lookAtTable(config)] : lookAtDataFolder(config);
}

async function lookAtTable(config: Config): Promise<Finding> {
  const { table, environment } = config;
  const check = `table ${table}`;
  try {
    if (await isStorePrepared(config)) return ok(check, "is there, with its index");
    return environment === "development"
      ? ok(check, "is not there yet: it is made at the first start in development")
      : failed(check, "is not there, or still being made", "run throughline setup");
  } catch (error) {
    return awsFailed(check, error instanceof Error ? error : new Error(String(error)), "AWS_ENDPOINT_URL_DYNAMODB");
  }
}

/** Whether the data folder is there, can be written, has room, and a start would take its files. Makes nothing. */
function lookAtDataFolder(config: Config): Finding[] {
  const folder = lookAtFolder(config);
  return folder.status === "failed" ? [folder] : [folder, ...lookAtFiles(config)];
}

function lookAtFolder({ dataDir }: Config): Finding {
  const nearest = nearestFolder(dataDir);
  const will = nearest === dataDir ? "is there" : "will be made at the first start";
  if (!statSync(nearest).isDirectory()) {
    return failed("data folder", `${nearest} is no folder`, "set --data-dir to a folder, or move that file away");
  }
  try {
    accessSync(nearest, constants.W_OK);
  } catch (error) {
    const detail = `${dataDir} cannot be written: ${toFailure(error).message}`;
    return failed("data folder", detail, "give the user of the process write access, or set --data-dir");
  }
  const room = statfsSync(nearest);
  const free = `${Math.floor((room.bavail * room.bsize) / 1e6)} MB free`;
  if (isNearlyFull(room)) {
    return warn("data folder", `${dataDir} ${will}, ${free}: new tasks are refused`, "free room on that disk");
  }
  return ok("data folder", `${dataDir} ${will}, ${free}`);
}

/** What a start would find in the folder; nothing when all is well. */
function lookAtFiles({ dataDir, table, queue, role }: Config): Finding[] {
  const [check, mend] = ["data folder", "set --data-dir to another folder, or move that file away"];
  try {
    if (role.some(needsStore)) previewOpening({ folder: dataDir, table });
    if (queue !== "embedded" || !isFolderLocked(dataDir)) return [];
    return [
      warn(check, `${dataDir} is used by a Throughline that runs`, "stop it before another starts on this folder"),
    ];
  } catch (error) {
    return [failed(check, `a start refuses ${dataDir}: ${toFailure(error).message}`, mend)];
  }
}

function nearestFolder(folder: string): string {
  return existsSync(folder) || dirname(folder) === folder ? folder : nearestFolder(dirname(folder));
}

/** The way to the queues, the rights, what they are set to, and the broker's clock. */
/** AWS refuses signatures that are older or newer. */
const refusedSkewMs = 5 * 60_000;
const noticedSkewMs = 30_000;

export async function lookAtQueues(config: Config): Promise<Finding[]> {
  if (config.queue === "embedded") return [ok("queues", "embedded: made with each start")];
  const [tasks, deadLetters] = await Promise.all([
    lookAtQueue(config, config.queueName),
    lookAtQueue(config, config.dlqName),
  ]);
  return [
    judge(tasks, config),
    judge(deadLetters, config),
    ...(tasks.state === "there" ? judgeSettings(tasks, config) : []),
    ...judgeClock(tasks),
  ];
}

function judge({ name, state, error }: QueueLook, config: Config): Finding {
  const check = `queue ${name}`;
  switch (state) {
    case "there":
      return ok(check, "is there, and answers");
    case "missing":
      return config.createQueues
        ? ok(check, "is not there yet: it is made at the first start")
        : failed(check, "is not there, and --create-queues is false", "make it, or let the first start make it");
    case "refused":
      return awsFailed(check, error, "AWS_ENDPOINT_URL_SQS");
  }
}

/** The net under a task that ends every worker it meets, and what else the user has set. */
function judgeSettings(look: QueueLook, config: Config): Finding[] {
  const troubles = judgeTaskQueue(look, config);
  const policy = parsePolicy(look.attributes.RedrivePolicy);
  const isWell = policy && troubles.every(({ about }) => about !== "redrive policy");
  return [
    ...(isWell ? [ok("redrive policy", `to ${config.dlqName} after ${policy.receives} receives`)] : []),
    ...troubles.map(({ about, detail, mend }) => warn(about, detail, mend)),
  ];
}

function judgeClock({ skewMs }: QueueLook): Finding[] {
  if (skewMs === undefined) return [];
  const seconds = `${Math.round(Math.abs(skewMs) / 1000)} s ${skewMs > 0 ? "behind" : "ahead of"} the broker's`;
  const mend = "let a time service set this machine's clock";
  if (Math.abs(skewMs) > refusedSkewMs) return [failed("clock", `is ${seconds}: signed calls are refused`, mend)];
  if (Math.abs(skewMs) > noticedSkewMs) return [warn("clock", `is ${seconds}: leases and ages are off`, mend)];
  return [ok("clock", "goes with the broker's")];
}

/** A call to AWS that failed. `endpointVariable` names the setting of where the service is. */
function awsFailed(check: string, error: Error | undefined, endpointVariable: string): Finding {
  return failed(check, inWords(error), mendOf(error, endpointVariable));
}

/** AWS names its errors by what they are about; other errors' names say nothing. */
function inWords(error: Error | undefined): string {
  const { name = "", message = "it does not answer" } = error ?? {};
  return /^(Type)?Error$/.test(name) ? message : `${name}: ${message}`;
}

function mendOf(error: Error | undefined, endpointVariable: string): string {
  const name = error?.name ?? "";
  if (/credential|token/i.test(name))
    return "set AWS credentials: AWS_ACCESS_KEY_ID and its like, a profile, or a role";
  if (/AccessDenied|NotAuthorized|Forbidden/i.test(name)) {
    return "allow this role's actions there: docs/operations.md lists them";
  }
  return `is it there? AWS_REGION and ${endpointVariable} say where it is looked for`;
}

const collectorLimitMs = 3000;

/** Whether the collector takes spans, and whether a variable of OpenTelemetry asks for what is not supported. */
export async function lookAtCollector(config: Config): Promise<Finding[]> {
  const unsupported = config.unsupportedVariables.map(({ variable, value, instead }) =>
    warn("collector", `${variable}=${value} has no effect`, instead),
  );
  return [...(await lookAtEndpoint(config)), ...unsupported];
}

async function lookAtEndpoint({ otel, role }: Config): Promise<Finding[]> {
  if (otel.disabled) return [ok("collector", "OTEL_SDK_DISABLED is true: nothing is exported")];
  if (!otel.tracesUrl && role.includes("console")) {
    return [ok("collector", "no endpoint is set: traces stay in the console of this process")];
  }
  if (!otel.tracesUrl) {
    return [warn("collector", "no endpoint is set: no trace leaves", "set OTEL_EXPORTER_OTLP_ENDPOINT")];
  }
  const error = await probeExport(otel.tracesUrl, collectorLimitMs);
  if (!error) return [ok("collector", `${otel.tracesUrl} takes spans`)];
  const detail = `${otel.tracesUrl} takes no spans: ${error.name}: ${error.message}`;
  return [failed("collector", detail, "start it, or set OTEL_EXPORTER_OTLP_ENDPOINT to where it is (OTLP over HTTP)")];
}
