const { SendMessageCommand, SQSClient } = require("@aws-sdk/client-sqs");
const { accept } = require("./accept.cjs");

const sqs = new SQSClient({ requestHandler: { httpAgent: { maxSockets: 256, keepAlive: true } } });
const { QUEUE_URL: QueueUrl } = process.env;
accept(async ({ payload }) => {
  const { MessageId } = await sqs.send(new SendMessageCommand({ QueueUrl, MessageBody: JSON.stringify(payload) }));
  return MessageId;
});
