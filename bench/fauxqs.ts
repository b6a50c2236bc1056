/** The broker that Throughline embeds, as a process of its own, with the queue `bench`. */

import { startFauxqs } from "fauxqs";

const server = await startFauxqs({ port: 0, host: "127.0.0.1", logger: false });
const answer = await fetch(`http://127.0.0.1:${server.port}/`, {
  method: "POST",
  headers: { "content-type": "application/x-amz-json-1.0", "x-amz-target": "AmazonSQS.CreateQueue" },
  body: '{"QueueName":"bench"}',
});
if (!answer.ok) throw new Error(`no queue: ${answer.status} ${await answer.text()}`);
process.stdout.write(`listens on ${server.port}\n`);
