/** What the queue port promises, held against every broker through the one client: the embedded one, and ElasticMQ. */

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { startEmbeddedBroker } from "../../src/broker/embedded.ts";
import { openQueues } from "../../src/queue/sqs.ts";
import {
  type Broker,
  type OpenQueues,
  openTestQueues,
  startElasticMqBroker,
  startEmbedded,
} from "../support/brokers.ts";
import { rejectionOf } from "../support/rejection.ts";
import { type Describe, describeWith } from "../support/requires.ts";
import { tempFolder } from "../support/temp-folder.ts";
import { startTestTracing } from "../support/test-tracing.ts";
import { describeBatches } from "./queue/batches.ts";
import { describeMessages } from "./queue/messages.ts";
import { describeOpening } from "./queue/opening.ts";
import { describeSpans } from "./queue/spans.ts";

const startLimitMs = 60_000;

function describeQueue(name: string, describeBroker: Describe, start: () => Promise<Broker>): void {
  describeBroker(name, () => {
    let broker: Broker;
    beforeAll(async () => {
      broker = await start();
    }, startLimitMs);
    afterAll(() => broker[Symbol.asyncDispose]());
    const open: OpenQueues = (flags) => openTestQueues(broker, flags);
    describeMessages(open);
    describeBatches(open);
    describeOpening(open);
    describeSpans(open);
  });
}

describeQueue("queues of the embedded broker", describe, startEmbedded);
describeQueue("queues of ElasticMQ", describeWith("elasticmq"), startElasticMqBroker);

describe("the embedded broker", () => {
  test("is one for each data folder, and the folder is free again when it has stopped", async () => {
    await using folder = await tempFolder();
    const first = await startEmbeddedBroker(folder.path, 0);
    expect(await rejectionOf(startEmbeddedBroker(folder.path, 0))).toMatchObject({
      code: "unavailable",
      message: `the embedded queue of "${folder.path}" is run by another process`,
    });
    await first.stop();
    await (await startEmbeddedBroker(folder.path, 0)).stop();
  });

  test("that is not there is told as such, with the queue that was looked for", async () => {
    await using folder = await tempFolder();
    const broker = await startEmbeddedBroker(folder.path, 0);
    await broker.stop();
    await using away = await startEmbedded();
    const config = { ...away.configOf({}), queueEndpoint: broker.endpoint };
    expect(await rejectionOf(openQueues(config, startTestTracing().tracer))).toMatchObject({
      code: "unavailable",
      message: expect.stringContaining('could not find the queue "task-events-dlq": '),
    });
  });
});
