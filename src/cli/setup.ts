/** `throughline setup`: makes the table and the queues of the settings where they do not exist. Run again, it changes nothing. */

import { trace } from "@opentelemetry/api";
import type { Config } from "../config.ts";
import { keepSettingsOffProxies } from "../http/fetch.ts";
import { openQueues } from "../queue/sqs.ts";
import { prepareStore } from "../store/open-store.ts";
import { scopeName } from "../telemetry/names.ts";

export async function setUp(config: Config): Promise<void> {
  keepSettingsOffProxies(config);
  await prepareStore(config);
  if (config.store === "dynamodb") tell(`the table "${config.table}" is there, with its indexes and its time to live`);
  else tell("the store needs nothing made: SQLite makes its file at the start");
  if (config.queue === "embedded") return tell("the queue needs nothing made: it is embedded");
  const queues = await openQueues({ ...config, createQueues: true }, trace.getTracer(scopeName));
  queues.close();
  tell(`the queues "${config.queueName}" and "${config.dlqName}" are there`);
}

function tell(line: string): void {
  process.stdout.write(`${line}\n`);
}
