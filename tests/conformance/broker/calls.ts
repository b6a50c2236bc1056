/** The calls of SQS through the AWS SDK for JavaScript, which checks the digests of bodies itself. */

import { describe, expect, test } from "bun:test";
import { createHash } from "node:crypto";
import {
  ChangeMessageVisibilityBatchCommand,
  CreateQueueCommand,
  DeleteMessageBatchCommand,
  DeleteMessageCommand,
  DeleteQueueCommand,
  GetQueueAttributesCommand,
  GetQueueUrlCommand,
  ListQueuesCommand,
  type MessageAttributeValue,
  PurgeQueueCommand,
  type QueueAttributeName,
  ReceiveMessageCommand,
  SendMessageBatchCommand,
  SendMessageCommand,
  SetQueueAttributesCommand,
  SQSClient,
} from "@aws-sdk/client-sqs";
import { eventually } from "../../support/eventually.ts";
import type { Endpoint } from "./clients.ts";

const limitMs = 60_000;

export function clientOf({ url, region }: Endpoint): SQSClient {
  return new SQSClient({ endpoint: url, region, credentials: { accessKeyId: "any", secretAccessKey: "any" } });
}

/** A queue of its own. */
export async function createQueue(sqs: SQSClient, attributes: Partial<Record<QueueAttributeName, string>> = {}) {
  const QueueName = `calls-${crypto.randomUUID()}`;
  const { QueueUrl = "" } = await sqs.send(new CreateQueueCommand({ QueueName, Attributes: attributes }));
  const asked = new GetQueueAttributesCommand({ QueueUrl, AttributeNames: ["QueueArn"] });
  const { Attributes } = await sqs.send(asked);
  return { QueueUrl, QueueName, arn: Attributes?.QueueArn ?? "" };
}

/** "Calculating the MD5 message digest for message attributes", step by step. */
export function md5Of(attributes: Record<string, MessageAttributeValue>): string {
  const hash = createHash("md5");
  const add = (bytes: Uint8Array): void => {
    const length = Buffer.alloc(4);
    length.writeUInt32BE(bytes.byteLength);
    hash.update(length).update(bytes);
  };
  for (const [name, { DataType = "", StringValue = "", BinaryValue }] of Object.entries(attributes).sort()) {
    add(Buffer.from(name));
    add(Buffer.from(DataType));
    hash.update(Uint8Array.of(BinaryValue ? 2 : 1));
    add(BinaryValue ?? Buffer.from(StringValue));
  }
  return hash.digest("hex");
}

const attributes: Record<string, MessageAttributeValue> = {
  zulu: { DataType: "String", StringValue: "sénd 中 😀" },
  Alpha: { DataType: "Number", StringValue: "42.5" },
  "mid.dle": { DataType: "Binary", BinaryValue: Uint8Array.from([0, 1, 128, 255]) },
  custom_1: { DataType: "String.json", StringValue: "{}" },
};

export function describeCalls(endpoint: () => Endpoint): void {
  describe("the AWS SDK", () => {
    test(
      "makes a queue, finds it, sets it, purges it and deletes it",
      async () => {
        const sqs = clientOf(endpoint());
        const { QueueUrl, QueueName, arn } = await createQueue(sqs, { VisibilityTimeout: "7", DelaySeconds: "0" });
        expect(QueueUrl).toEndWith(`/${QueueName}`);
        expect(arn).toMatch(new RegExp(`^arn:aws:sqs:[\\w-]+:000000000000:${QueueName}$`));
        const found = await sqs.send(new GetQueueUrlCommand({ QueueName }));
        expect(found.QueueUrl).toBe(QueueUrl);
        const listed = await sqs.send(new ListQueuesCommand({ QueueNamePrefix: QueueName.slice(0, -1) }));
        expect(listed.QueueUrls).toEqual([QueueUrl]);

        await sqs.send(new SetQueueAttributesCommand({ QueueUrl, Attributes: { VisibilityTimeout: "9" } }));
        await sqs.send(new SendMessageCommand({ QueueUrl, MessageBody: "purged" }));
        await sqs.send(new PurgeQueueCommand({ QueueUrl }));
        const asked = new GetQueueAttributesCommand({ QueueUrl, AttributeNames: ["All"] });
        expect((await sqs.send(asked)).Attributes).toMatchObject({
          VisibilityTimeout: "9",
          ApproximateNumberOfMessages: "0",
          ApproximateNumberOfMessagesDelayed: "0",
          ApproximateNumberOfMessagesNotVisible: "0",
        });
        await sqs.send(new DeleteQueueCommand({ QueueUrl }));
        await expect(sqs.send(new GetQueueUrlCommand({ QueueName }))).rejects.toThrow("queue does not exist");
      },
      limitMs,
    );

    test(
      "sends and receives whole messages, with the digests of their attributes",
      async () => {
        const sqs = clientOf(endpoint());
        const { QueueUrl } = await createQueue(sqs);
        const MessageBody = '{"text":"ä 中 \\u0000 <&> \t"}';
        const sent = await sqs.send(new SendMessageCommand({ QueueUrl, MessageBody, MessageAttributes: attributes }));
        expect(sent.MD5OfMessageAttributes).toBe(md5Of(attributes));
        const asked = new ReceiveMessageCommand({
          QueueUrl,
          WaitTimeSeconds: 10,
          MessageAttributeNames: ["All"],
          MessageSystemAttributeNames: ["SentTimestamp", "ApproximateReceiveCount", "ApproximateFirstReceiveTimestamp"],
        });
        const [message] = (await sqs.send(asked)).Messages ?? [];
        expect(message).toEqual({
          MessageId: sent.MessageId ?? "",
          ReceiptHandle: expect.stringMatching(/./),
          Body: MessageBody,
          MD5OfBody: createHash("md5").update(MessageBody).digest("hex"),
          MessageAttributes: attributes,
          MD5OfMessageAttributes: md5Of(attributes),
          Attributes: {
            SentTimestamp: expect.stringMatching(/^\d{13}$/),
            ApproximateFirstReceiveTimestamp: expect.stringMatching(/^\d{13}$/),
            ApproximateReceiveCount: "1",
          },
        });
        await sqs.send(new DeleteMessageCommand({ QueueUrl, ReceiptHandle: message?.ReceiptHandle }));
      },
      limitMs,
    );

    test(
      "has a result for each entry of a batch, and what is asked for by name alone",
      async () => {
        const sqs = clientOf(endpoint());
        const { QueueUrl } = await createQueue(sqs);
        const Entries = ["a", "b"].map((Id) => ({ Id, MessageBody: Id, MessageAttributes: attributes }));
        const answer = await sqs.send(new SendMessageBatchCommand({ QueueUrl, Entries }));
        expect(answer.Successful?.map(({ Id, MD5OfMessageAttributes }) => [Id, MD5OfMessageAttributes])).toEqual(
          Entries.map(({ Id }) => [Id, md5Of(attributes)]),
        );
        const { Messages = [] } = await sqs.send(
          new ReceiveMessageCommand({ QueueUrl, MaxNumberOfMessages: 10, MessageAttributeNames: ["Alpha", "none"] }),
        );
        const { Alpha } = attributes;
        expect(Messages.map(({ MessageAttributes }) => MessageAttributes)).toEqual(
          Messages.map(() => (Alpha ? { Alpha } : undefined)),
        );
        const shown = Messages.map(({ ReceiptHandle }, n) => ({ Id: `m${n}`, ReceiptHandle, VisibilityTimeout: 0 }));
        const changed = await sqs.send(new ChangeMessageVisibilityBatchCommand({ QueueUrl, Entries: shown }));
        expect(changed.Successful?.map(({ Id }) => Id)).toEqual(["m0", "m1"]);
        const again = await sqs.send(new ReceiveMessageCommand({ QueueUrl, MaxNumberOfMessages: 10 }));
        expect(again.Messages?.map(({ Body }) => Body).sort()).toEqual(["a", "b"]);
        const gone = again.Messages?.map(({ ReceiptHandle }, n) => ({ Id: `m${n}`, ReceiptHandle }));
        const deleted = await sqs.send(new DeleteMessageBatchCommand({ QueueUrl, Entries: gone }));
        expect(deleted.Successful?.map(({ Id }) => Id)).toEqual(["m0", "m1"]);
      },
      limitMs,
    );

    test(
      "delays by message and by queue, and wakes a long poll at once",
      async () => {
        const sqs = clientOf(endpoint());
        const { QueueUrl } = await createQueue(sqs, { DelaySeconds: "1" });
        const receive = () => sqs.send(new ReceiveMessageCommand({ QueueUrl, WaitTimeSeconds: 20 }));
        await sqs.send(new SendMessageCommand({ QueueUrl, MessageBody: "delayed" }));
        expect((await sqs.send(new ReceiveMessageCommand({ QueueUrl }))).Messages ?? []).toEqual([]);
        expect((await receive()).Messages).toMatchObject([{ Body: "delayed" }]);
        const polling = receive();
        await sqs.send(new SendMessageCommand({ QueueUrl, MessageBody: "later", DelaySeconds: 900 }));
        await sqs.send(new SendMessageCommand({ QueueUrl, MessageBody: "now", DelaySeconds: 0 }));
        expect((await polling).Messages).toMatchObject([{ Body: "now" }]);
      },
      limitMs,
    );

    test(
      "moves what was received too often to the dead-letter queue, as it was sent",
      async () => {
        const sqs = clientOf(endpoint());
        const dead = await createQueue(sqs);
        const policy = JSON.stringify({ deadLetterTargetArn: dead.arn, maxReceiveCount: 2 });
        const { QueueUrl } = await createQueue(sqs, { RedrivePolicy: policy });
        const sent = await sqs.send(
          new SendMessageCommand({ QueueUrl, MessageBody: "spent", MessageAttributes: attributes }),
        );
        const receive = async (queue: string) => {
          const asked = { QueueUrl: queue, VisibilityTimeout: 0, MessageAttributeNames: ["All"] };
          return (await sqs.send(new ReceiveMessageCommand(asked))).Messages ?? [];
        };
        for (let n = 0; n < 2; n++) expect((await receive(QueueUrl)).length).toBe(1);
        expect(await receive(QueueUrl)).toEqual([]);
        const moved = await eventually(async () => {
          const [message] = await receive(dead.QueueUrl);
          return message;
        });
        expect(moved).toMatchObject({
          MessageId: sent.MessageId ?? "",
          Body: "spent",
          MessageAttributes: attributes,
          MD5OfMessageAttributes: md5Of(attributes),
        });
      },
      limitMs,
    );
  });
}
