/**
 * What SQS does and ElasticMQ does otherwise or not: the errors of bad requests, fairness, names of attributes. Long for its
 * tables, one row a bad request.
 */

import { describe, expect, test } from "bun:test";
import {
  CreateQueueCommand,
  GetQueueAttributesCommand,
  ReceiveMessageCommand,
  SendMessageCommand,
  SQSServiceException,
} from "@aws-sdk/client-sqs";
import { startBrokerServer } from "../../../src/broker/server.ts";
import { rejectionOf } from "../../support/rejection.ts";
import { clientOf, createQueue, md5Of } from "./calls.ts";
import type { Endpoint } from "./clients.ts";

const mebibyte = 1024 * 1024;

/** One request as it is, with all that its answer says. */
async function post({ url }: Endpoint, action: string | undefined, body: unknown) {
  const target = action === undefined ? {} : { "x-amz-target": `AmazonSQS.${action}` };
  const answer = await fetch(url, {
    method: "POST",
    headers: { "content-type": "application/x-amz-json-1.0", ...target },
    body: typeof body === "string" ? body : JSON.stringify(body),
  });
  const given = await answer.json();
  return {
    status: answer.status,
    type: given.__type,
    message: given.message,
    query: answer.headers.get("x-amzn-query-error"),
    given,
  };
}

type Entry = Record<string, unknown>;
const entries = (count: number, more: Entry = {}): Entry[] =>
  Array.from({ length: count }, (_, n) => ({ Id: `e${n}`, MessageBody: "x", ...more }));
const attribute = (name: string, value: Entry): Entry => ({ MessageBody: "x", MessageAttributes: { [name]: value } });
const text = { DataType: "String", StringValue: "x" };

/** Each is refused as a whole. `input` gets a queue's URL. */
const refused: [what: string, action: string, input: (QueueUrl: string) => Entry, code: string, words: string][] = [
  ["no queue's URL", "SendMessage", () => ({ MessageBody: "x" }), "MissingParameter", "QueueUrl"],
  ["a queue that is not there", "ReceiveMessage", (url) => ({ QueueUrl: `${url}x` }), "QueueDoesNotExist", "exist"],
  ["no name", "CreateQueue", () => ({}), "MissingParameter", "QueueName"],
  ["a name with spaces", "CreateQueue", () => ({ QueueName: "a b" }), "InvalidParameterValue", "alphanumeric"],
  ["a name of 81", "CreateQueue", () => ({ QueueName: "a".repeat(81) }), "InvalidParameterValue", "80"],
  ["FIFO by its name", "CreateQueue", () => ({ QueueName: "a.fifo" }), "InvalidParameterValue", "alphanumeric"],
  [
    "FIFO by its attribute",
    "CreateQueue",
    () => ({ QueueName: "a", Attributes: { FifoQueue: "true" } }),
    "InvalidAttributeName",
    "Unknown Attribute FifoQueue.",
  ],
  [
    "an attribute beyond its range",
    "SetQueueAttributes",
    (QueueUrl) => ({ QueueUrl, Attributes: { DelaySeconds: "901" } }),
    "InvalidAttributeValue",
    "DelaySeconds",
  ],
  [
    "a policy without a target",
    "SetQueueAttributes",
    (QueueUrl) => ({ QueueUrl, Attributes: { RedrivePolicy: '{"maxReceiveCount":3}' } }),
    "InvalidParameterValue",
    "deadLetterTargetArn",
  ],
  [
    "a policy to a queue that is not there",
    "SetQueueAttributes",
    (QueueUrl) => ({
      QueueUrl,
      Attributes: { RedrivePolicy: '{"maxReceiveCount":3,"deadLetterTargetArn":"arn:aws:sqs:us-east-1:0:none"}' },
    }),
    "InvalidParameterValue",
    "does not exist",
  ],
  [
    "an unknown attribute",
    "GetQueueAttributes",
    (QueueUrl) => ({ QueueUrl, AttributeNames: ["Size"] }),
    "InvalidAttributeName",
    "Size",
  ],
  ["no body", "SendMessage", (QueueUrl) => ({ QueueUrl }), "MissingParameter", "MessageBody"],
  ["an empty body", "SendMessage", (QueueUrl) => ({ QueueUrl, MessageBody: "" }), "MissingParameter", "MessageBody"],
  [
    "a body with a control",
    "SendMessage",
    (QueueUrl) => ({ QueueUrl, MessageBody: "a\u0001" }),
    "InvalidMessageContents",
    "#x9",
  ],
  [
    "a body with U+FFFF",
    "SendMessage",
    (QueueUrl) => ({ QueueUrl, MessageBody: "\uffff" }),
    "InvalidMessageContents",
    "#x9",
  ],
  [
    "half a surrogate pair",
    "SendMessage",
    (QueueUrl) => ({ QueueUrl, MessageBody: "\ud83d" }),
    "InvalidMessageContents",
    "#x9",
  ],
  [
    "a number for a body",
    "SendMessage",
    (QueueUrl) => ({ QueueUrl, MessageBody: 7 }),
    "SerializationException",
    "MessageBody",
  ],
  [
    "1 MiB and a byte",
    "SendMessage",
    (QueueUrl) => ({ QueueUrl, MessageBody: "x".repeat(mebibyte + 1) }),
    "InvalidParameterValue",
    "1048576 bytes",
  ],
  [
    "1 MiB of body and attributes, and a byte",
    "SendMessage",
    (QueueUrl) => ({ QueueUrl, ...attribute("a", text), MessageBody: "x".repeat(mebibyte - 7) }),
    "InvalidParameterValue",
    "1048576 bytes",
  ],
  [
    "a delay of 901",
    "SendMessage",
    (QueueUrl) => ({ QueueUrl, MessageBody: "x", DelaySeconds: 901 }),
    "InvalidParameterValue",
    "<= 900",
  ],
  [
    "a delay of -1",
    "SendMessage",
    (QueueUrl) => ({ QueueUrl, MessageBody: "x", DelaySeconds: -1 }),
    "InvalidParameterValue",
    ">= 0",
  ],
  [
    "a delay of 1.5",
    "SendMessage",
    (QueueUrl) => ({ QueueUrl, MessageBody: "x", DelaySeconds: 1.5 }),
    "SerializationException",
    "integer",
  ],
  [
    "a deduplication id",
    "SendMessage",
    (QueueUrl) => ({ QueueUrl, MessageBody: "x", MessageDeduplicationId: "d" }),
    "InvalidParameterValue",
    "not valid for this queue type",
  ],
  [
    "a group of 129",
    "SendMessage",
    (QueueUrl) => ({ QueueUrl, MessageBody: "x", MessageGroupId: "g".repeat(129) }),
    "InvalidParameterValue",
    "128",
  ],
  [
    "an unknown type",
    "SendMessage",
    (QueueUrl) => ({ QueueUrl, ...attribute("a", { DataType: "Text", StringValue: "x" }) }),
    "InvalidParameterValue",
    "Binary, Number, String",
  ],
  [
    "no type",
    "SendMessage",
    (QueueUrl) => ({ QueueUrl, ...attribute("a", { StringValue: "x" }) }),
    "InvalidParameterValue",
    "non-empty message attribute type",
  ],
  [
    "an empty value",
    "SendMessage",
    (QueueUrl) => ({ QueueUrl, ...attribute("a", { DataType: "String", StringValue: "" }) }),
    "InvalidParameterValue",
    "non-empty value",
  ],
  [
    "no number",
    "SendMessage",
    (QueueUrl) => ({ QueueUrl, ...attribute("a", { DataType: "Number", StringValue: "one" }) }),
    "InvalidParameterValue",
    "number",
  ],
  [
    "a control in a value",
    "SendMessage",
    (QueueUrl) => ({ QueueUrl, ...attribute("a", { DataType: "String", StringValue: "\u0002" }) }),
    "InvalidParameterValue",
    "#x9",
  ],
  [
    "AWS's own name",
    "SendMessage",
    (QueueUrl) => ({ QueueUrl, ...attribute("AWS.x", text) }),
    "InvalidParameterValue",
    "AWS.x",
  ],
  [
    "a name with two periods",
    "SendMessage",
    (QueueUrl) => ({ QueueUrl, ...attribute("a..b", text) }),
    "InvalidParameterValue",
    "a..b",
  ],
  [
    "11 attributes",
    "SendMessage",
    (QueueUrl) => ({
      QueueUrl,
      MessageBody: "x",
      MessageAttributes: Object.fromEntries(Array.from({ length: 11 }, (_, n) => [`a${n}`, text])),
    }),
    "InvalidParameterValue",
    "[11]",
  ],
  [
    "an unknown system attribute",
    "SendMessage",
    (QueueUrl) => ({ QueueUrl, MessageBody: "x", MessageSystemAttributes: { Other: text } }),
    "InvalidParameterValue",
    "Other",
  ],
  ["no entry", "SendMessageBatch", (QueueUrl) => ({ QueueUrl, Entries: [] }), "EmptyBatchRequest", "at least one"],
  [
    "11 entries",
    "SendMessageBatch",
    (QueueUrl) => ({ QueueUrl, Entries: entries(11) }),
    "TooManyEntriesInBatchRequest",
    "11",
  ],
  [
    "two equal ids",
    "SendMessageBatch",
    (QueueUrl) => ({ QueueUrl, Entries: entries(2, { Id: "same" }) }),
    "BatchEntryIdsNotDistinct",
    "same",
  ],
  [
    "an id with a period",
    "DeleteMessageBatch",
    (QueueUrl) => ({ QueueUrl, Entries: entries(1, { Id: "a.b" }) }),
    "InvalidBatchEntryId",
    "80",
  ],
  [
    "a batch of 1 MiB and a byte",
    "SendMessageBatch",
    (QueueUrl) => ({ QueueUrl, Entries: [...entries(1), { Id: "large", MessageBody: "x".repeat(mebibyte) }] }),
    "BatchRequestTooLong",
    "1048577 bytes",
  ],
  [
    "11 messages",
    "ReceiveMessage",
    (QueueUrl) => ({ QueueUrl, MaxNumberOfMessages: 11 }),
    "InvalidParameterValue",
    "between 1 and 10",
  ],
  [
    "a wait of 21",
    "ReceiveMessage",
    (QueueUrl) => ({ QueueUrl, WaitTimeSeconds: 21 }),
    "InvalidParameterValue",
    "<= 20",
  ],
  [
    "a timeout of 43201",
    "ReceiveMessage",
    (QueueUrl) => ({ QueueUrl, VisibilityTimeout: 43_201 }),
    "InvalidParameterValue",
    "43200",
  ],
  [
    "an unknown system attribute",
    "ReceiveMessage",
    (QueueUrl) => ({ QueueUrl, MessageSystemAttributeNames: ["Age"] }),
    "InvalidAttributeName",
    "Age",
  ],
  ["no receipt", "DeleteMessage", (QueueUrl) => ({ QueueUrl }), "MissingParameter", "ReceiptHandle"],
  [
    "a text that is no receipt",
    "DeleteMessage",
    (QueueUrl) => ({ QueueUrl, ReceiptHandle: "x" }),
    "ReceiptHandleIsInvalid",
    "not a valid",
  ],
  [
    "no timeout",
    "ChangeMessageVisibility",
    (QueueUrl) => ({ QueueUrl, ReceiptHandle: "x" }),
    "MissingParameter",
    "VisibilityTimeout",
  ],
  ["a call that is not known", "AddPermission", (QueueUrl) => ({ QueueUrl }), "UnknownOperation", "AddPermission"],
];

/** `__type` and the query protocol's code, as SQS has them. */
const told: Record<string, [type: string, query: string]> = {
  MissingParameter: ["com.amazon.coral.service#MissingRequiredParameterException", "MissingParameter"],
  InvalidParameterValue: ["com.amazon.coral.service#InvalidParameterValueException", "InvalidParameterValue"],
  SerializationException: ["com.amazon.coral.service#SerializationException", "MalformedInput"],
  UnknownOperation: ["com.amazon.coral.service#UnknownOperationException", "InvalidAction"],
  QueueDoesNotExist: ["com.amazonaws.sqs#QueueDoesNotExist", "AWS.SimpleQueueService.NonExistentQueue"],
};
const plain = ["InvalidAttributeName", "InvalidAttributeValue", "InvalidMessageContents", "ReceiptHandleIsInvalid"];

function toldOf(code: string): [type: string, query: string] {
  const query = plain.includes(code) ? code : `AWS.SimpleQueueService.${code}`;
  return told[code] ?? [`com.amazonaws.sqs#${code}`, query];
}

export function describeOwn(endpoint: () => Endpoint): void {
  describe("a bad request", () => {
    test.each(refused)("with %s (%s) is refused as SQS does", async (_, action, input, code, words) => {
      const { QueueUrl } = await createQueue(clientOf(endpoint()));
      const [type, query] = toldOf(code);
      const { given: __, ...answer } = await post(endpoint(), action, input(QueueUrl));
      expect(answer).toEqual({ status: 400, type, query: `${query};Sender`, message: expect.stringContaining(words) });
    });

    test("that is not JSON, no object, or names no call is refused", async () => {
      expect((await post(endpoint(), "ListQueues", "{")).type).toEndWith("#SerializationException");
      expect((await post(endpoint(), "ListQueues", "[]")).type).toEndWith("#SerializationException");
      expect((await post(endpoint(), undefined, {})).type).toEndWith("#UnknownOperationException");
    });

    test("is an exception of its name in the SDK", async () => {
      const sqs = clientOf(endpoint());
      const error = await rejectionOf(
        sqs.send(new SendMessageCommand({ QueueUrl: "http://x/0/none", MessageBody: "x" })),
      );
      expect(error).toBeInstanceOf(SQSServiceException);
      expect(error).toMatchObject({ name: "QueueDoesNotExist", $fault: "client", $metadata: { attempts: 1 } });
    });
  });

  describe("an entry of a batch", () => {
    test("that is bad has its own error, and the others are sent", async () => {
      const { QueueUrl } = await createQueue(clientOf(endpoint()));
      const bad = [{ MessageBody: "\u0001" }, { DelaySeconds: 901 }, { MessageAttributes: { a: { DataType: "No" } } }];
      const Entries = [{}, ...bad, {}].map((more, n) => ({ Id: `e${n}`, MessageBody: "x", ...more }));
      const { given } = await post(endpoint(), "SendMessageBatch", { QueueUrl, Entries });
      expect(given.Successful.map(({ Id }: Entry) => Id)).toEqual(["e0", "e4"]);
      const codes = ["InvalidMessageContents", "InvalidParameterValue", "InvalidParameterValue"];
      expect(given.Failed).toMatchObject(codes.map((Code, n) => ({ Id: `e${n + 1}`, SenderFault: true, Code })));
    });

    test("has a receipt that is stale, of another queue, or none: each as SQS has it", async () => {
      const sqs = clientOf(endpoint());
      const [{ QueueUrl }, other] = await Promise.all([createQueue(sqs), createQueue(sqs)]);
      await sqs.send(new SendMessageCommand({ QueueUrl, MessageBody: "x" }));
      const receive = async () => {
        const { Messages } = await sqs.send(new ReceiveMessageCommand({ QueueUrl, VisibilityTimeout: 0 }));
        return Messages?.[0]?.ReceiptHandle ?? "";
      };
      const stale = await receive();
      const newest = await receive();
      const batch = (url: string) => ({
        QueueUrl: url,
        Entries: [stale, newest, "none"].map((ReceiptHandle, n) => ({
          Id: `e${n}`,
          ReceiptHandle,
          VisibilityTimeout: 1,
        })),
      });
      const codesOf = async (action: string, url: string) => {
        const { Successful, Failed } = (await post(endpoint(), action, batch(url))).given;
        return [Successful.map(({ Id }: Entry) => Id), Failed.map(({ Code }: Entry) => Code)];
      };
      const invalid = "ReceiptHandleIsInvalid";
      expect(await codesOf("DeleteMessageBatch", other.QueueUrl)).toEqual([[], [invalid, invalid, invalid]]);
      expect(await codesOf("ChangeMessageVisibilityBatch", QueueUrl)).toEqual([
        [],
        ["InvalidParameterValue", "MessageNotInflight", invalid],
      ]);
      // Only the newest deletes; the other succeeds, and does nothing; and so does the newest once its message is gone.
      expect(await codesOf("DeleteMessageBatch", QueueUrl)).toEqual([["e0", "e1"], [invalid]]);
      expect(await codesOf("DeleteMessageBatch", QueueUrl)).toEqual([["e0", "e1"], [invalid]]);
      const asked = new GetQueueAttributesCommand({ QueueUrl, AttributeNames: ["ApproximateNumberOfMessages"] });
      expect((await sqs.send(asked)).Attributes).toEqual({ ApproximateNumberOfMessages: "0" });
    });
  });

  describe("a message", () => {
    test("has the system attributes that were sent, and those that are asked for", async () => {
      const sqs = clientOf(endpoint());
      const { QueueUrl } = await createQueue(sqs);
      const system = {
        AWSTraceHeader: { DataType: "String", StringValue: "Root=1-5759e988-bd862e3fe1be46a994272793" },
      };
      const sent = await sqs.send(
        new SendMessageCommand({ QueueUrl, MessageBody: "x", MessageGroupId: "g!1", MessageSystemAttributes: system }),
      );
      expect(sent.MD5OfMessageSystemAttributes).toBe(md5Of(system));
      const asked = { QueueUrl, VisibilityTimeout: 0 };
      const all = await sqs.send(new ReceiveMessageCommand({ ...asked, MessageSystemAttributeNames: ["All"] }));
      expect(all.Messages?.[0]?.Attributes).toMatchObject({
        AWSTraceHeader: system.AWSTraceHeader.StringValue,
        MessageGroupId: "g!1",
        SenderId: "000000000000",
        ApproximateReceiveCount: "1",
      });
      const one = await post(endpoint(), "ReceiveMessage", { ...asked, AttributeNames: ["MessageGroupId"] });
      expect(one.given.Messages[0].Attributes).toEqual({ MessageGroupId: "g!1" });
      expect((await sqs.send(new ReceiveMessageCommand(asked))).Messages?.[0]?.Attributes).toBeUndefined();
    });

    test("gives its attributes by the start of their names, with the digest of those", async () => {
      const sqs = clientOf(endpoint());
      const { QueueUrl } = await createQueue(sqs);
      const [a1, a2] = [
        { DataType: "String", StringValue: "1" },
        { DataType: "Number", StringValue: "2" },
      ];
      await sqs.send(new SendMessageCommand({ QueueUrl, MessageBody: "x", MessageAttributes: { b: a1, a1, a2 } }));
      const { Messages } = await sqs.send(new ReceiveMessageCommand({ QueueUrl, MessageAttributeNames: ["a.*"] }));
      expect(Messages).toMatchObject([{ MessageAttributes: { a1, a2 }, MD5OfMessageAttributes: md5Of({ a1, a2 }) }]);
      expect(Messages?.[0]?.MessageAttributes).toEqual({ a1, a2 });
    });
  });

  describe("a broker whose memory is full", () => {
    test("refuses messages with an error that no SDK repeats, and takes them when others are deleted", async () => {
      const { listener, figures, stop } = await startBrokerServer({ host: "127.0.0.1", port: 0 }, { limitBytes: 5000 });
      await using _ = { [Symbol.asyncDispose]: stop };
      const full = { url: listener.url, region: "us-east-1" };
      const sqs = clientOf(full);
      const { QueueUrl } = await createQueue(sqs);
      const send = () => sqs.send(new SendMessageCommand({ QueueUrl, MessageBody: "x".repeat(2000) }));
      await send();
      const Entries = entries(3).map((entry, n) => ({ ...entry, MessageBody: "x".repeat(n === 0 ? 2000 : 100) }));
      const { given } = await post(full, "SendMessageBatch", { QueueUrl, Entries });
      expect(given).toMatchObject({
        Successful: [{ Id: "e1" }, { Id: "e2" }],
        Failed: [{ Id: "e0", Code: "OverLimit", SenderFault: true }],
      });
      expect(await rejectionOf(send())).toMatchObject({
        name: "OverLimit",
        $metadata: { httpStatusCode: 403, attempts: 1 },
      });
      expect(figures()).toMatchObject({ limitBytes: 5000, refused: 2 });
      const { Messages } = await sqs.send(new ReceiveMessageCommand({ QueueUrl, MaxNumberOfMessages: 1 }));
      await post(full, "DeleteMessage", { QueueUrl, ReceiptHandle: Messages?.[0]?.ReceiptHandle });
      expect((await send()).MessageId).toMatch(/./);
    });

    test("counts all that it keeps of a message, and keeps nothing else", async () => {
      const { listener, figures, stop } = await startBrokerServer(
        { host: "127.0.0.1", port: 0 },
        { limitBytes: 20_000 },
      );
      await using _ = { [Symbol.asyncDispose]: stop };
      const full = { url: listener.url, region: "us-east-1" };
      const { QueueUrl } = await createQueue(clientOf(full));
      const long = "j".repeat(30_000);
      const odd = {
        junk: { DataType: "String", StringValue: "v", Junk: long },
        other: { DataType: "String", StringValue: "v", BinaryValue: long },
        spaced: { DataType: "Binary", BinaryValue: `AAAA${"!".repeat(30_000)}` },
      };
      await post(full, "SendMessage", { QueueUrl, MessageBody: "x", MessageAttributes: odd });
      expect(figures().usedBytes).toBeLessThan(5000);
      const asked = { QueueUrl, MessageAttributeNames: ["All"] };
      const { given } = await post(full, "ReceiveMessage", asked);
      expect(given.Messages[0].MessageAttributes).toEqual({
        junk: { DataType: "String", StringValue: "v" },
        other: { DataType: "String", StringValue: "v" },
        spaced: { DataType: "Binary", BinaryValue: "AAAA" },
      });
      const AWSTraceHeader = { DataType: "String", StringValue: long };
      const traced = { QueueUrl, MessageBody: "x", MessageSystemAttributes: { AWSTraceHeader } };
      expect((await post(full, "SendMessage", traced)).given).toMatchObject({
        __type: expect.stringMatching(/OverLimit/),
      });
      const empty = { b: { DataType: "Binary", BinaryValue: "!!!!" } };
      const refused = await post(full, "SendMessage", { QueueUrl, MessageBody: "x", MessageAttributes: empty });
      expect(refused.given.message).toMatch(/non-empty value/);
    });
  });

  describe("a queue", () => {
    test("is fair between groups", async () => {
      const sqs = clientOf(endpoint());
      const { QueueUrl } = await createQueue(sqs);
      for (const [at, group] of ["a", "a", "a", "a", "b"].entries()) {
        await sqs.send(new SendMessageCommand({ QueueUrl, MessageBody: `${group}${at}`, MessageGroupId: group }));
      }
      const { Messages } = await sqs.send(new ReceiveMessageCommand({ QueueUrl, MaxNumberOfMessages: 3 }));
      expect(Messages?.map(({ Body }) => Body)).toEqual(["a0", "b4", "a1"]);
    });

    test("is the same when it is made again as it is, and refused when it would be another", async () => {
      const sqs = clientOf(endpoint());
      const { QueueName, QueueUrl } = await createQueue(sqs, { VisibilityTimeout: "7" });
      const make = (VisibilityTimeout: string) =>
        sqs.send(new CreateQueueCommand({ QueueName, Attributes: { VisibilityTimeout } }));
      expect((await make("7")).QueueUrl).toBe(QueueUrl);
      expect(await rejectionOf(make("8"))).toMatchObject({ name: "QueueNameExists" });
    });

    test("has no message for a poll whose caller has gone", async () => {
      const sqs = clientOf(endpoint());
      const { QueueUrl } = await createQueue(sqs);
      const leaving = new AbortController();
      const asked = new ReceiveMessageCommand({ QueueUrl, WaitTimeSeconds: 20, VisibilityTimeout: 600 });
      const poll = sqs.send(asked, { abortSignal: leaving.signal });
      // It is on its way when the broker answers what was asked after it.
      await sqs.send(new GetQueueAttributesCommand({ QueueUrl, AttributeNames: ["All"] }));
      leaving.abort();
      await rejectionOf(poll);
      await sqs.send(new GetQueueAttributesCommand({ QueueUrl, AttributeNames: ["All"] }));
      await sqs.send(new SendMessageCommand({ QueueUrl, MessageBody: "for the next" }));
      expect((await sqs.send(asked)).Messages).toMatchObject([{ Body: "for the next" }]);
    });
  });
}
