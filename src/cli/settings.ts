/**
 * The commands that act on a server's settings alone: `throughline config` shows them, `setup` makes the table and the
 * queues that they name, `health` asks the process that runs with them.
 */

import { type Config, readConfig, type SettingRow } from "../config.ts";
import { keepSettingsOffProxies } from "../http/fetch.ts";
import { urlOf } from "../http/listen.ts";
import { TaskError } from "../words/errors.ts";
import { type AddCommand, type SettingFlags, withExamples, withSettings } from "./flags.ts";

export const addConfig: AddCommand = (program) => {
  const command = program
    .command("config")
    .description("the settings in force, and where each came from")
    .option("--json", "as JSON");
  withSettings(command).action(async ({ json, ...flags }: SettingFlags & { json?: boolean }) => {
    showConfig(readConfig(flags).rows, json ?? false);
  });
  withExamples(
    command,
    ["throughline config --threads=3", "what would be, with this flag"],
    ["throughline config --json", "for a script"],
  );
};

function showConfig(rows: readonly SettingRow[], asJson: boolean): void {
  if (asJson) {
    const settings = rows.map(({ name, flag, variable, value, source }) => ({ name, flag, variable, value, source }));
    process.stdout.write(`${JSON.stringify(settings)}\n`);
    return;
  }
  const wide = (pick: (row: SettingRow) => string): number => Math.max(...rows.map((row) => pick(row).length));
  const flagWidth = wide(({ flag }) => flag);
  const valueWidth = wide(({ value }) => value);
  for (const { flag, value, source } of rows) {
    process.stdout.write(`${flag.padEnd(flagWidth)}  ${value.padEnd(valueWidth)}  ${source}\n`);
  }
}

export const addSetup: AddCommand = (program) => {
  const command = program
    .command("setup")
    .description("make the table and the queues of the settings where they do not exist");
  withSettings(command).action(async (flags: SettingFlags) => {
    await setUp(readConfig(flags).config);
  });
  withExamples(
    command,
    ["throughline setup", "of these settings: nothing, they need nothing made"],
    ["throughline setup --store=dynamodb --queue=sqs", "a table and two queues"],
  );
};

/** Run again, it changes nothing. */
async function setUp(config: Config): Promise<void> {
  keepSettingsOffProxies(config);
  const [{ trace }, { openQueues }, { prepareStore }, { scopeName }] = await Promise.all([
    import("@opentelemetry/api"),
    import("../queue/sqs.ts"),
    import("../store/open-store.ts"),
    import("../telemetry/names.ts"),
  ]);
  await prepareStore(config);
  if (config.store === "dynamodb")
    printLine(`the table "${config.table}" is there, with its indexes and its time to live`);
  else printLine("the store needs nothing made: SQLite makes its file at the start");
  if (config.queue === "embedded") return printLine("the queue needs nothing made: it is embedded");
  const queues = await openQueues({ ...config, createQueues: true }, trace.getTracer(scopeName));
  queues.close();
  printLine(`the queues "${config.queueName}" and "${config.dlqName}" are there`);
}

function printLine(line: string): void {
  process.stdout.write(`${line}\n`);
}

export const addHealth: AddCommand = (program) => {
  const command = program
    .command("health")
    .description("whether the process with these settings is ready: 0 when it is (for container engines)");
  withSettings(command).action((flags: SettingFlags) => askReady(readConfig(flags).config));
  withExamples(command, ["throughline health", "of a process on this machine with the same settings"]);
};

/** Short: a container engine asks again. */
const answerLimitMs = 2000;

/** A process that listens on every address of the machine is asked on loopback. */
const ownAddresses: Record<string, string> = { "0.0.0.0": "127.0.0.1", "::": "::1" };

/** Asks the admin address of the settings. Rejects with `TaskError` `unavailable` unless the process there is ready. */
async function askReady({ adminListen: { host, port } }: Pick<Config, "adminListen">): Promise<void> {
  const url = `${urlOf({ host: ownAddresses[host] ?? host, port })}/health/ready`;
  const status = await statusOf(url);
  if (status !== 200) throw new TaskError("unavailable", `${url} answered ${status}: not ready`);
}

async function statusOf(url: string): Promise<number> {
  try {
    const answer = await fetch(url, { signal: AbortSignal.timeout(answerLimitMs) });
    await answer.body?.cancel();
    return answer.status;
  } catch (cause) {
    throw new TaskError("unavailable", `${url} does not answer`, { cause });
  }
}
