/** Queues that the user has made: what in their settings will hurt is told before it does. */

import { expect, test } from "bun:test";
import { CreateQueueCommand, GetQueueAttributesCommand, SQSClient } from "@aws-sdk/client-sqs";
import { readConfig } from "../../src/config.ts";
import { judgeTaskQueue, lookAtQueue, type QueueTrouble, warnOfTaskQueue } from "../../src/queue/queue-look.ts";
import { startTelemetry } from "../../src/telemetry/telemetry.ts";
import { startElasticMqBroker } from "../support/brokers.ts";
import { describeWith } from "../support/requires.ts";

const limitMs = 60_000;

const policy = (maxReceiveCount: unknown, queue = "own-dlq"): Record<string, string> => ({
  RedrivePolicy: JSON.stringify({
    deadLetterTargetArn: `arn:aws:sqs:eu-west-1:000000000000:${queue}`,
    maxReceiveCount,
  }),
});

const judged: [what: string, attributes: Record<string, string>, attempts: number, troubles: (string | RegExp)[]][] = [
  ["our own", { ...policy(100), DelaySeconds: "0" }, 5, []],
  ["with room for every attempt", policy("20"), 20, []],
  ["with three receives", policy("3"), 5, [/^redrive policy: own gives a message up after 3 receives/]],
  ["with fewer receives than attempts", policy(30), 31, [/after 30 receives/]],
  ["without a policy", {}, 5, [/^redrive policy: own has none/]],
  ["with a policy that cannot be read", { RedrivePolicy: "{" }, 5, [/^redrive policy: own has none/]],
  ["with a policy to elsewhere", policy(100, "other"), 5, [/^redrive policy: own leads to .*:other$/]],
  [
    "with a delay",
    { ...policy(100), DelaySeconds: "20" },
    5,
    [/^delay: own delays every message by 20 s \(DelaySeconds\)/],
  ],
  ["with both", { ...policy(3), DelaySeconds: "900" }, 5, [/after 3 receives/, /by 900 s/]],
];

test.each(judged)("a queue %s", (_, attributes, maxAttempts, troubles) => {
  const { config } = readConfig({ handlers: "", dlqName: "own-dlq", maxAttempts: String(maxAttempts) }, {});
  const look = { name: "own", state: "there", error: undefined, attributes, skewMs: undefined } as const;
  const told = judgeTaskQueue(look, config).map(({ about, detail }: QueueTrouble) => `${about}: ${detail}`);
  expect(told).toEqual(troubles.map((trouble) => expect.stringMatching(trouble)));
});

describeWith("elasticmq")("a worker's start", () => {
  test(
    "warns of what the queue's own settings will do",
    async () => {
      await using broker = await startElasticMqBroker();
      const config = broker.configOf({ queueName: "own", dlqName: "own-dlq" });
      const client = new SQSClient({ endpoint: config.queueEndpoint ?? "" });
      const { QueueUrl } = await client.send(new CreateQueueCommand({ QueueName: "own-dlq" }));
      const asked = new GetQueueAttributesCommand({ QueueUrl, AttributeNames: ["QueueArn"] });
      const { QueueArn = "" } = (await client.send(asked)).Attributes ?? {};
      const RedrivePolicy = JSON.stringify({ deadLetterTargetArn: QueueArn, maxReceiveCount: 3 });
      const Attributes = { DelaySeconds: "20", RedrivePolicy };
      await client.send(new CreateQueueCommand({ QueueName: "own", Attributes }));
      client.destroy();

      const lines: string[] = [];
      const { log } = startTelemetry("worker", config, (line) => lines.push(line));
      await warnOfTaskQueue(config, log);
      await warnOfTaskQueue({ ...config, queueName: "not-there" }, log);
      const warned = lines.map((line) => JSON.parse(line)).filter(({ level }) => level === "warn");
      expect(warned.map(({ msg }) => msg)).toEqual([
        "the queue's redrive policy will hurt",
        "the queue's delay will hurt",
      ]);
      expect((await lookAtQueue(config, "own")).state).toBe("there");
    },
    limitMs,
  );
});
