/**
 * The embedded broker with the clients that people have: the AWS SDKs for JavaScript and Python, and sqs-consumer; and the
 * same on ElasticMQ. Where ElasticMQ is not as SQS is (a second delete, an empty batch, most errors), the case is in own.ts.
 */

import { afterAll, beforeAll, describe } from "bun:test";
import { type Broker, startElasticMqBroker, startEmbedded } from "../support/brokers.ts";
import { type Describe, describeWith } from "../support/requires.ts";
import { describeCalls } from "./broker/calls.ts";
import { describeClients, type Endpoint } from "./broker/clients.ts";
import { describeOwn } from "./broker/own.ts";

const startLimitMs = 120_000;

interface Suite {
  describe: Describe;
  start(): Promise<Broker>;
  region: string;
  parts: readonly ((endpoint: () => Endpoint) => void)[];
}

function describeBroker(name: string, { describe, start, region, parts }: Suite): void {
  describe(name, () => {
    let broker: Broker;
    beforeAll(async () => {
      broker = await start();
    }, startLimitMs);
    afterAll(() => broker[Symbol.asyncDispose]());
    const endpoint = (): Endpoint => ({ url: broker.configOf({}).queueEndpoint ?? "", region });
    for (const part of parts) part(endpoint);
  });
}

const shared = [describeCalls, describeClients];

describeBroker("the embedded broker", {
  describe,
  start: startEmbedded,
  region: "us-east-1",
  parts: [...shared, describeOwn],
});
describeBroker("ElasticMQ", {
  describe: describeWith("elasticmq"),
  start: startElasticMqBroker,
  region: "elasticmq",
  parts: shared,
});
