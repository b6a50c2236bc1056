import { SendMessageCommand, SQSClient } from "@aws-sdk/client-sqs";
import { context, propagation } from "@opentelemetry/api";

const sqs = new SQSClient();
const carrier = {};
propagation.inject(context.active(), carrier);
const MessageAttributes = Object.fromEntries(
  Object.entries(carrier).map(([name, StringValue]) => [name, { DataType: "String", StringValue }]),
);
for (const to of process.argv.slice(2)) {
  const MessageBody = JSON.stringify({ to });
  await sqs.send(new SendMessageCommand({ QueueUrl: process.env.QUEUE_URL, MessageBody, MessageAttributes }));
}
