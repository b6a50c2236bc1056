/** `throughline setup`: makes the table and the queues of the settings where they do not exist. Run again, it changes nothing. */

import { type Config, readConfig } from "../config.ts";
import { keepSettingsOffProxies } from "../http/fetch.ts";
import { type AddCommand, type SettingFlags, withExamples, withSettings } from "./flags.ts";

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
