/** The broker that Throughline embeds, as a process of its own, with the queue `bench`. */

import { startBrokerServer } from "../src/broker/server.ts";

const { listener } = await startBrokerServer({ host: "127.0.0.1", port: 0 });
const answer = await fetch(listener.url, {
  method: "POST",
  headers: { "content-type": "application/x-amz-json-1.0", "x-amz-target": "AmazonSQS.CreateQueue" },
  body: '{"QueueName":"bench"}',
});
if (!answer.ok) throw new Error(`no queue: ${answer.status} ${await answer.text()}`);
process.stdout.write(`listens on ${listener.port}\n`);
