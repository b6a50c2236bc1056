/** sqs-consumer, and the AWS client that sends to it: `sqs-consumer.cjs gateway` and `sqs-consumer.cjs worker`. */

const { SendMessageCommand, SQSClient } = require("@aws-sdk/client-sqs");
const { Consumer } = require("sqs-consumer");
const { accept, handler, isReady } = require("./accept.cjs");

/** Several, each with whole batches: what its guide advises for throughput. */
const consumers = 8;

const sqs = new SQSClient({ requestHandler: { httpAgent: { maxSockets: 256, keepAlive: true } } });
const { QUEUE_URL: queueUrl } = process.env;
const roles = { gateway, worker };

function gateway() {
  accept(async ({ payload }) => {
    const message = { QueueUrl: queueUrl, MessageBody: JSON.stringify(payload) };
    return (await sqs.send(new SendMessageCommand(message))).MessageId;
  });
}

async function worker() {
  const done = await handler();
  const handleMessageBatch = async (messages) => {
    for (const { Body } of messages) done(JSON.parse(Body));
    return messages;
  };
  for (let n = 0; n < consumers; n++) {
    const settings = { sqs, queueUrl, batchSize: 10, messageAttributeNames: ["All"] };
    const consumer = Consumer.create({ ...settings, handleMessageBatch });
    consumer.on("error", (error) => process.stderr.write(`${error}\n`));
    consumer.start();
  }
  isReady();
}

void roles[process.argv[2]]();
