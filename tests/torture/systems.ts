/** What is tortured: the compiled executable with all roles in one process, or a process for each role and ElasticMQ. */

import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { startElasticMq } from "../parts/elasticmq.ts";
import { freePort } from "../parts/free-port.ts";
import { projectFolder } from "../support/executable.ts";
import { freePorts } from "../support/process.ts";
import { createVictim, type Victim } from "./victim.ts";

export const modes = ["all-in-one", "four-processes"] as const;
export type Mode = (typeof modes)[number];

export interface TorturedSystem extends AsyncDisposable {
  victims: readonly [Victim, ...Victim[]];
  dataDir: string;
  journal: string;
  /** Where to submit; undefined while nobody listens. */
  gatewayUrl(): string | undefined;
  /** The broker that is a process of its own; undefined when it dies with a victim anyway. */
  broker: Broker | undefined;
}

export interface Broker {
  /** Victims that take messages of tasks. */
  takers: readonly Victim[];
  /** Kills it and starts it with nothing in it, no queue either. */
  restartEmpty(): Promise<void>;
}

/** Leases short enough that a killed worker's tasks come back soon. */
const commonFlags = [
  `--handlers=${join(projectFolder, "tests/fixtures/torture-handlers")}`,
  "--visibility-timeout=2s",
  "--retry-base=50ms",
  "--retry-cap=400ms",
];

/** Starts it in `folder`, which keeps its data, its journal and its logs. */
export async function startTortured(mode: Mode, folder: string): Promise<TorturedSystem> {
  const logFolder = join(folder, "logs");
  mkdirSync(logFolder, { recursive: true });
  const places = { dataDir: join(folder, "data"), journal: join(folder, "journal.jsonl"), logFolder };
  return mode === "all-in-one" ? startAllInOne(places) : startFourProcesses(places);
}

interface Places {
  dataDir: string;
  journal: string;
  logFolder: string;
}

async function startAllInOne({ dataDir, journal, logFolder }: Places): Promise<TorturedSystem> {
  await using stack = new AsyncDisposableStack();
  const args = ["serve", ...freePorts, ...commonFlags, "--threads=3", `--data-dir=${dataDir}`];
  const env = { TORTURE_JOURNAL: journal };
  const victim = stack.use(createVictim({ name: "all", args, env, journal, logFolder }));
  await victim.start();
  const owned = stack.move();
  return {
    victims: [victim],
    dataDir,
    journal,
    gatewayUrl: () => victim.addresses()?.gateway_url,
    broker: undefined,
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

async function startFourProcesses({ dataDir, journal, logFolder }: Places): Promise<TorturedSystem> {
  await using stack = new AsyncDisposableStack();
  const elasticMq = stack.use(await startElasticMq());
  const env = {
    TORTURE_JOURNAL: journal,
    AWS_ENDPOINT_URL_SQS: elasticMq.url,
    AWS_REGION: "elasticmq",
    AWS_ACCESS_KEY_ID: "test",
    AWS_SECRET_ACCESS_KEY: "test",
  };
  // The same ports in every life: nobody has to be told anew where the others are.
  const [gatewayPort, taskServicePort] = [await freePort(), await freePort()];
  const create = (name: string, role: string, ...flags: string[]): Victim => {
    const own = [`--role=${role}`, "--queue=sqs", `--data-dir=${dataDir}`, "--admin-listen=127.0.0.1:0", ...flags];
    return stack.use(createVictim({ name, args: ["serve", ...commonFlags, ...own], env, journal, logFolder }));
  };
  const taskService = create(
    "task-service",
    "task-service",
    `--task-service-listen=127.0.0.1:${taskServicePort}`,
    "--grpc-listen=127.0.0.1:0",
  );
  const workers = ["worker-1", "worker-2"].map((name) => create(name, "worker", "--threads=2"));
  const dlq = create("dlq", "dlq");
  const gateway = create(
    "gateway",
    "gateway",
    `--gateway-listen=127.0.0.1:${gatewayPort}`,
    `--task-service-url=http://127.0.0.1:${taskServicePort}`,
  );
  const victims = [taskService, ...workers, dlq, gateway] as const;
  await Promise.all(victims.map((victim) => victim.start()));
  const owned = stack.move();
  return {
    victims,
    dataDir,
    journal,
    gatewayUrl: () => gateway.addresses()?.gateway_url,
    broker: { takers: workers, restartEmpty: () => elasticMq.restart() },
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}
