/** Several consumers, each with whole batches: what the guide of sqs-consumer advises for throughput. */

const { SQSClient } = require("@aws-sdk/client-sqs");
const { Consumer } = require("sqs-consumer");

const consumers = 8;

async function main() {
  const { done } = await import("../done.mjs");
  const sqs = new SQSClient({ requestHandler: { httpAgent: { maxSockets: 256, keepAlive: true } } });
  const handleMessageBatch = async (messages) => {
    for (const { Body } of messages) done(JSON.parse(Body));
    return messages;
  };
  for (let n = 0; n < consumers; n++) {
    const settings = { sqs, queueUrl: process.env.QUEUE_URL, batchSize: 10, messageAttributeNames: ["All"] };
    const consumer = Consumer.create({ ...settings, handleMessageBatch });
    consumer.on("error", (error) => process.stderr.write(`${error}\n`));
    consumer.start();
  }
  process.stdout.write("listens on 0\n");
}

void main();
