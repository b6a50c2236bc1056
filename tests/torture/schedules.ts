/**
 * Three task services with one schedule of each second, of which one after the other is killed: every tick has its run,
 * and none has two. `bun tests/torture/schedules.ts --seconds 60 --kills 30` runs it at length, on both stores.
 */

import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { parseArgs } from "node:util";
import { DynamoDBClient, paginateScan } from "@aws-sdk/client-dynamodb";
import { unmarshall } from "@aws-sdk/util-dynamodb";
import { databaseFile } from "../../src/store/sqlite/schema.ts";
import { startDynamoDb } from "../parts/dynamodb.ts";
import { startElasticMq } from "../parts/elasticmq.ts";
import { awsVariables } from "../support/dynamo-store.ts";
import { eventually } from "../support/eventually.ts";
import { compiledExecutable } from "../support/executable.ts";
import { freePorts } from "../support/process.ts";
import { schedulesAt } from "../support/schedules.ts";
import { tempFolder } from "../support/temp-folder.ts";
import { createVictim, type Victim } from "./victim.ts";

export interface SchedulesOptions {
  store: "sqlite" | "dynamodb";
  /** Ticks, one a second. */
  seconds: number;
  kills: number;
  /** Whether those that are killed come back. */
  restarts: boolean;
}

export interface SchedulesSeen {
  fired: number;
  skipped: number;
  missed: number;
  kills: number;
  /** How many runs the ticks have, in their order. */
  runs: number[];
  /** Runs by what became of them. */
  ended: Record<string, number>;
  /** Runs that no tick explains. */
  strangers: number;
}

interface StoredRun {
  status: string;
  scheduledFor: string;
}

const id = "each-second";
const waitMs = 120_000;

export async function runSchedules({ store, seconds, kills, restarts }: SchedulesOptions): Promise<SchedulesSeen> {
  await using stack = new AsyncDisposableStack();
  const elasticMq = stack.use(await startElasticMq());
  const dynamoDb = store === "dynamodb" ? stack.use(await startDynamoDb()) : undefined;
  const { path: folder } = stack.use(await tempFolder());
  const dataDir = join(folder, "data");
  const env = {
    ...awsVariables,
    AWS_ENDPOINT_URL_SQS: elasticMq.url,
    ...(dynamoDb && { AWS_ENDPOINT_URL_DYNAMODB: dynamoDb.url }),
  };
  const create = (name: string, role: string, ...own: string[]): Victim => {
    const args = ["serve", `--role=${role}`, `--store=${store}`, "--queue=sqs", `--data-dir=${dataDir}`, ...freePorts];
    const journal = join(folder, "journal.jsonl");
    return stack.use(createVictim({ name, args: [...args, ...own], env, journal, logFolder: folder }));
  };
  const [kept, ...victims] = [1, 2, 3].map((number) => create(`task-service-${number}`, "task-service"));
  if (!kept) throw new Error("there is no task service");
  for (const service of [kept, ...victims]) await service.start();
  const worker = create("worker", "worker", "--threads=1");
  await worker.start();
  const gateway = create("gateway", "gateway", `--task-service-url=${kept.addresses()?.task_service_url}`);
  await gateway.start();

  const schedules = schedulesAt(gateway.addresses()?.gateway_url);
  const startMs = Math.ceil(Date.now() / 1000) * 1000 + 2000;
  await schedules.create({
    id,
    every: "1s",
    task: { type: "echo" },
    overlap: "allow",
    start_at: new Date(startMs).toISOString(),
    end_at: new Date(startMs + seconds * 1000).toISOString(),
  });
  const killed = await killAtTicks(victims, { startMs, seconds, kills, restarts });
  const read = (): Promise<StoredRun[]> => (dynamoDb ? readTable(dynamoDb.url) : readFile(dataDir));
  const { fired, skipped, missed } = await eventually(
    async () => {
      const schedule = await schedules.get(id);
      return schedule.next_runs.length === 0 && schedule;
    },
    { timeoutMs: waitMs },
  );
  const runs = await eventually(
    async () => {
      const all = await read();
      return all.every(({ status }) => status === "succeeded") && all;
    },
    { timeoutMs: waitMs },
  );
  for (const process of [gateway, worker, kept, ...victims]) await process.stop();
  const ticks = Array.from({ length: seconds }, (_, n) => new Date(startMs + n * 1000).toISOString());
  const ofTick = Map.groupBy(runs, ({ scheduledFor }) => scheduledFor);
  return {
    fired,
    skipped,
    missed,
    kills: killed,
    runs: ticks.map((tick) => ofTick.get(tick)?.length ?? 0),
    ended: Object.fromEntries(
      [...Map.groupBy(runs, ({ status }) => status)].map(([status, all]) => [status, all.length]),
    ),
    strangers: runs.filter(({ scheduledFor }) => !ticks.includes(scheduledFor)).length,
  };
}

interface Killing {
  startMs: number;
  seconds: number;
  kills: number;
  restarts: boolean;
}

/** Spread over the ticks, and each at another time after one: while its run is made, sometimes. */
async function killAtTicks(victims: readonly Victim[], killing: Killing): Promise<number> {
  const { startMs, seconds, kills, restarts } = killing;
  let killed = 0;
  for (; killed < kills; killed++) {
    const tickMs = startMs + Math.floor(((killed + 1) * seconds) / (kills + 1)) * 1000;
    await Bun.sleep(Math.max(0, tickMs + (killed % 20) - Date.now()));
    const victim = victims[killed % victims.length];
    if (!victim) break;
    await victim.kill();
    if (restarts) await victim.start();
  }
  return killed;
}

async function readFile(dataDir: string): Promise<StoredRun[]> {
  const db = new DatabaseSync(join(dataDir, databaseFile), { readOnly: true });
  try {
    return db.prepare("SELECT status, metadata FROM tasks").all().map(toRun);
  } finally {
    db.close();
  }
}

async function readTable(endpoint: string): Promise<StoredRun[]> {
  const credentials = {
    accessKeyId: awsVariables.AWS_ACCESS_KEY_ID,
    secretAccessKey: awsVariables.AWS_SECRET_ACCESS_KEY,
  };
  const client = new DynamoDBClient({ endpoint, region: awsVariables.AWS_REGION, credentials });
  try {
    const runs: StoredRun[] = [];
    for await (const { Items = [] } of paginateScan({ client }, { TableName: "tasks", ConsistentRead: true })) {
      runs.push(
        ...Items.map((item) => unmarshall(item))
          .filter(({ metadata }) => metadata !== undefined)
          .map(toRun),
      );
    }
    return runs;
  } finally {
    client.destroy();
  }
}

function toRun({ status, metadata }: Record<string, unknown>): StoredRun {
  return { status: String(status), scheduledFor: JSON.parse(String(metadata)).scheduled_for };
}

if (import.meta.main) {
  const { values } = parseArgs({
    options: { seconds: { type: "string", default: "60" }, kills: { type: "string", default: "30" } },
  });
  await compiledExecutable();
  for (const store of ["sqlite", "dynamodb"] as const) {
    const seen = await runSchedules({
      store,
      seconds: Number(values.seconds),
      kills: Number(values.kills),
      restarts: true,
    });
    process.stdout.write(`${store}: ${JSON.stringify(seen)}\n`);
  }
}
