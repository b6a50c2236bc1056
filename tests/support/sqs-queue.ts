/** A queue of the embedded broker, through AWS's own client: for messages that Throughline would not send. */

import {
  GetQueueAttributesCommand,
  GetQueueUrlCommand,
  type MessageAttributeValue,
  SendMessageCommand,
  SQSClient,
} from "@aws-sdk/client-sqs";
import type { TestSystem } from "./system.ts";

export interface SqsQueue {
  send(body: string, attributes?: Record<string, MessageAttributeValue>): Promise<void>;
  depth(): Promise<{ visible: number; inFlight: number }>;
}

export async function openSqsQueue({ system }: TestSystem, name: string): Promise<SqsQueue> {
  const sqs = new SQSClient({
    endpoint: system.addresses.queue_endpoint ?? "",
    region: "us-east-1",
    credentials: { accessKeyId: "test", secretAccessKey: "test" },
  });
  const { QueueUrl } = await sqs.send(new GetQueueUrlCommand({ QueueName: name }));
  return {
    send: async (MessageBody, MessageAttributes = {}) => {
      await sqs.send(new SendMessageCommand({ QueueUrl, MessageBody, MessageAttributes }));
    },
    depth: async () => {
      const { Attributes } = await sqs.send(new GetQueueAttributesCommand({ QueueUrl, AttributeNames: ["All"] }));
      return {
        visible: Number(Attributes?.ApproximateNumberOfMessages),
        inFlight: Number(Attributes?.ApproximateNumberOfMessagesNotVisible),
      };
    },
  };
}
