/**
 * The calls of SQS about messages, each alone and in batches. In a batch each entry has a result of its own; a batch that
 * is wrong as a whole is refused as one.
 */

import { hash } from "node:crypto";
import { allowedCharacters, chooseAttributes, hasForbidden, readAttributes } from "./message-attributes.ts";
import { type Message, type MessageContent, Poll } from "./message-queue.ts";
import { mostBytes } from "./queue-attributes.ts";
import { noQueue, queueOf } from "./queue-calls.ts";
import { account, type BrokerQueue, type Queues } from "./queues.ts";
import { invalidParameter, SqsError } from "./sqs-error.ts";
import { type Input, integerOf, isInput, isWord, mapOf, missing, requiredText, textOf, textsOf } from "./sqs-input.ts";

const seconds = 1000;
const delayRange = { min: 0, max: 900, reason: "DelaySeconds must be >= 0 and <= 900." };
const hideRange = { min: 0, max: 43_200, reason: "Must be >= 0 and <= 43200, if provided." };
const waitRange = { min: 0, max: 20, reason: "Must be >= 0 and <= 20, if provided." };
const countRange = { min: 1, max: 10, reason: "Must be between 1 and 10, if provided." };

/** "Amazon SQS message quotas": messages that are received and not deleted, in one queue. */
const mostHidden = 120_000;
const mostEntries = 10;
const longestId = 80;
const longestGroup = 128;

export function sendMessage(queues: Queues, input: Input): string {
  const queue = queueOf(queues, input);
  const sent = send(queue, input);
  queue.wake();
  return `{${sent}}`;
}

export function sendMessageBatch(queues: Queues, input: Input): string {
  const queue = queueOf(queues, input);
  const entries = entriesOf(input, "SendMessageBatchRequestEntry");
  let bytes = 0;
  for (const entry of entries) bytes += roughBytes(entry);
  if (bytes > mostBytes) {
    const message = `Batch requests cannot be longer than ${mostBytes} bytes. You have sent ${bytes} bytes.`;
    throw new SqsError("BatchRequestTooLong", message);
  }
  const results = forEach(entries, (entry) => send(queue, entry));
  queue.wake();
  return results;
}

/** Before anything of it is checked. */
function roughBytes(entry: Input): number {
  const { MessageBody, MessageAttributes } = entry;
  let bytes = typeof MessageBody === "string" ? Buffer.byteLength(MessageBody) : 0;
  if (!isInput(MessageAttributes)) return bytes;
  for (const name in MessageAttributes) {
    const attribute = MessageAttributes[name];
    if (!isInput(attribute)) continue;
    const { DataType, StringValue, BinaryValue } = attribute;
    bytes += Buffer.byteLength(name);
    if (typeof DataType === "string") bytes += DataType.length;
    if (typeof StringValue === "string") bytes += Buffer.byteLength(StringValue);
    if (typeof BinaryValue === "string") bytes += Buffer.byteLength(BinaryValue, "base64");
  }
  return bytes;
}

/** Puts one into the queue; who waits for it is woken by the caller. Gives the answer's members. */
function send(queue: BrokerQueue, input: Input): string {
  const { rules } = queue;
  const body = textOf(input, "MessageBody") ?? "";
  if (body === "") throw missing("MessageBody");
  if (hasForbidden(body)) throw new SqsError("InvalidMessageContents", allowedCharacters);
  const attributes = readAttributes(mapOf(input, "MessageAttributes"));
  const bytes = Buffer.byteLength(body) + attributes.bytes;
  if (bytes > rules.maxMessageBytes) {
    const reason = `Message must be shorter than ${rules.maxMessageBytes} bytes.`;
    throw new SqsError("InvalidParameterValue", `One or more parameters are invalid. Reason: ${reason}`);
  }
  const delaySeconds = integerOf(input, "DelaySeconds", delayRange);
  const system = readSystemAttributes(mapOf(input, "MessageSystemAttributes"));
  const content = {
    id: crypto.randomUUID(),
    body: JSON.stringify(body),
    bodyMd5: hash("md5", body, "hex"),
    attributes: attributes.json,
    attributesMd5: attributes.md5,
    traceHeader: system.traceHeader,
    group: groupOf(input),
    // SQS does not count it towards the message's size; it takes memory all the same.
    bytes: bytes + system.traceHeader.length,
  };
  if (!queue.send(content, delaySeconds === undefined ? rules.delayMs : delaySeconds * seconds)) {
    throw new SqsError(
      "OverLimit",
      "The messages of this broker are in memory, which is full. Receive and delete some.",
    );
  }
  let answer = `"MessageId":"${content.id}","MD5OfMessageBody":"${content.bodyMd5}"`;
  if (attributes.md5 !== "") answer += `,"MD5OfMessageAttributes":"${attributes.md5}"`;
  if (system.md5 !== "") answer += `,"MD5OfMessageSystemAttributes":"${system.md5}"`;
  return answer;
}

function readSystemAttributes(map: Input | undefined): { traceHeader: string; md5: string } {
  if (map === undefined) return { traceHeader: "", md5: "" };
  for (const name of Object.keys(map)) {
    if (name === "AWSTraceHeader") continue;
    throw new SqsError("InvalidParameterValue", `Message system attribute name '${name}' is invalid.`);
  }
  const { md5 } = readAttributes(map);
  const header = map.AWSTraceHeader;
  const traceHeader = isInput(header) ? (textOf(header, "StringValue") ?? "") : "";
  return { traceHeader, md5 };
}

/** A standard queue is fair between groups, and knows nothing of duplicates. */
function groupOf(input: Input): string {
  const duplicate = textOf(input, "MessageDeduplicationId");
  if (duplicate !== undefined) {
    const reason = "The request includes a parameter that is not valid for this queue type.";
    throw invalidParameter(duplicate, "MessageDeduplicationId", reason);
  }
  const group = textOf(input, "MessageGroupId");
  if (group === undefined) return "";
  // Printable ASCII but for the space: alphanumeric characters and punctuation.
  if (group === "" || group.length > longestGroup || !/^[!-~]*$/.test(group)) {
    const reason = `MessageGroupId can only include alphanumeric and punctuation characters. 1 to ${longestGroup} in length.`;
    throw invalidParameter(group, "MessageGroupId", reason);
  }
  return group;
}

/** The answer's text: bodies and attributes are JSON already. `signal` aborts when the caller has gone. */
export function receiveMessage(queues: Queues, input: Input, signal: () => AbortSignal): string | Promise<string> {
  const queue = queueOf(queues, input);
  const max = integerOf(input, "MaxNumberOfMessages", countRange) ?? 1;
  const hideSeconds = integerOf(input, "VisibilityTimeout", hideRange);
  const waitSeconds = integerOf(input, "WaitTimeSeconds", waitRange);
  const wanted: Wanted = {
    system: systemNames(textsOf(input, "AttributeNames"), textsOf(input, "MessageSystemAttributeNames")),
    attributes: attributeNames(textsOf(input, "MessageAttributeNames")),
  };
  const hideMs = hideSeconds === undefined ? queue.rules.hideMs : hideSeconds * seconds;
  const waitMs = waitSeconds === undefined ? queue.rules.waitMs : waitSeconds * seconds;
  if (queue.counts.hidden >= mostHidden) {
    throw new SqsError("OverLimit", `Too many messages in flight for this queue: ${mostHidden} at most.`);
  }
  const messages = queue.receive(max, hideMs);
  if (messages.length > 0 || waitMs === 0) return toAnswer(messages, wanted);
  return waitForMessages(queue, { max, hideMs, waitMs, wanted }, signal());
}

interface Waiting {
  max: number;
  hideMs: number;
  waitMs: number;
  wanted: Wanted;
}

/** Its answer is written when the messages come: one that is not hidden can be another's a moment later. */
function waitForMessages(queue: BrokerQueue, waiting: Waiting, signal: AbortSignal): Promise<string> {
  return new Promise((resolve, reject) => {
    const gone = (): void => {
      queue.leave(poll);
      resolve(toAnswer([], waiting.wanted));
    };
    const poll = new Poll(queue, waiting, (messages) => {
      signal.removeEventListener("abort", gone);
      if (messages) resolve(toAnswer(messages, waiting.wanted));
      else reject(noQueue());
    });
    if (signal.aborted) return resolve(toAnswer([], waiting.wanted));
    signal.addEventListener("abort", gone);
    queue.wait(poll, waiting.waitMs);
  });
}

/** What a receive wants to know of each message. */
interface Wanted {
  system: ReadonlySet<string>;
  attributes: readonly string[] | "all" | "none";
}

function attributeNames(names: readonly string[]): Wanted["attributes"] {
  if (names.length === 0) return "none";
  return names.includes("All") || names.includes(".*") ? "all" : names;
}

/** Those of FIFO queues are known, and no message has them. */
const allSystemNames = [
  "AWSTraceHeader",
  "ApproximateFirstReceiveTimestamp",
  "ApproximateReceiveCount",
  "DeadLetterQueueSourceArn",
  "MessageDeduplicationId",
  "MessageGroupId",
  "SenderId",
  "SentTimestamp",
  "SequenceNumber",
];
const everySystemName: ReadonlySet<string> = new Set(allSystemNames);

function systemNames(older: readonly string[], names: readonly string[]): ReadonlySet<string> {
  const wanted = new Set([...older, ...names]);
  for (const name of wanted) {
    if (name === "All") return everySystemName;
    if (!everySystemName.has(name)) throw new SqsError("InvalidAttributeName", `Unknown Attribute ${name}.`);
  }
  return wanted;
}

function toAnswer(messages: readonly Message[], wanted: Wanted): string {
  if (messages.length === 0) return "{}";
  let text = "";
  for (const message of messages) text += `${text === "" ? "" : ","}${toJson(message, wanted)}`;
  return `{"Messages":[${text}]}`;
}

/** Ids, digests and receipts have nothing that JSON escapes. */
function toJson(message: Message, wanted: Wanted): string {
  const { content } = message;
  let text = `{"MessageId":"${content.id}","ReceiptHandle":"${message.receipt}","MD5OfBody":"${content.bodyMd5}","Body":${content.body}`;
  if (content.attributes !== "" && wanted.attributes !== "none") text += attributesOf(content, wanted.attributes);
  if (wanted.system.size > 0) text += `,"Attributes":{${systemAttributes(message, wanted.system)}}`;
  return `${text}}`;
}

function attributesOf(content: MessageContent, wanted: readonly string[] | "all"): string {
  let { attributes: json, attributesMd5: md5 } = content;
  if (wanted !== "all") ({ json, md5 } = chooseAttributes({ json, md5, bytes: 0 }, wanted));
  return json === "" ? "" : `,"MD5OfMessageAttributes":"${md5}","MessageAttributes":${json}`;
}

function systemAttributes(message: Message, wanted: ReadonlySet<string>): string {
  const { content, sourceArn } = message;
  let text = "";
  if (wanted.has("ApproximateReceiveCount")) text += `,"ApproximateReceiveCount":"${message.receives}"`;
  if (wanted.has("SentTimestamp")) text += `,"SentTimestamp":"${Math.round(message.sentAtMs)}"`;
  if (wanted.has("ApproximateFirstReceiveTimestamp")) {
    text += `,"ApproximateFirstReceiveTimestamp":"${Math.round(message.firstReceivedAtMs)}"`;
  }
  if (wanted.has("SenderId")) text += `,"SenderId":"${account}"`;
  if (content.group !== "" && wanted.has("MessageGroupId")) {
    text += `,"MessageGroupId":${JSON.stringify(content.group)}`;
  }
  if (content.traceHeader !== "" && wanted.has("AWSTraceHeader")) {
    text += `,"AWSTraceHeader":${JSON.stringify(content.traceHeader)}`;
  }
  if (sourceArn !== "" && wanted.has("DeadLetterQueueSourceArn")) text += `,"DeadLetterQueueSourceArn":"${sourceArn}"`;
  return text.slice(1);
}

export function deleteMessage(queues: Queues, input: Input): string {
  return `{${remove(queueOf(queues, input), input)}}`;
}

export function deleteMessageBatch(queues: Queues, input: Input): string {
  const queue = queueOf(queues, input);
  return forEach(entriesOf(input, "DeleteMessageBatchRequestEntry"), (entry) => remove(queue, entry));
}

/** With a receipt that is not the newest, or whose message is gone, it succeeds and does nothing ("DeleteMessage"). */
function remove(queue: BrokerQueue, input: Input): string {
  const message = messageOf(queue, input);
  if (message !== "stale") queue.delete(message);
  return "";
}

export function changeMessageVisibility(queues: Queues, input: Input): string {
  const queue = queueOf(queues, input);
  const changed = changeVisibility(queue, input);
  queue.wake();
  return `{${changed}}`;
}

export function changeMessageVisibilityBatch(queues: Queues, input: Input): string {
  const queue = queueOf(queues, input);
  const entries = entriesOf(input, "ChangeMessageVisibilityBatchRequestEntry");
  const results = forEach(entries, (entry) => changeVisibility(queue, entry));
  queue.wake();
  return results;
}

function changeVisibility(queue: BrokerQueue, input: Input): string {
  const hideSeconds = integerOf(input, "VisibilityTimeout", hideRange);
  if (hideSeconds === undefined) throw missing("VisibilityTimeout");
  const message = messageOf(queue, input);
  if (message === "stale") {
    const reason = "Message does not exist or is not available for visibility timeout change.";
    throw invalidParameter(textOf(input, "ReceiptHandle"), "ReceiptHandle", reason);
  }
  if (message.state !== "hidden") throw new SqsError("MessageNotInflight", "The message referred to isn't in flight.");
  queue.hide(message, hideSeconds * seconds);
  return "";
}

function messageOf(queue: BrokerQueue, input: Input): Message | "stale" {
  const receipt = requiredText(input, "ReceiptHandle");
  const message = queue.find(receipt);
  if (message) return message;
  throw new SqsError("ReceiptHandleIsInvalid", `The input receipt handle "${receipt}" is not a valid receipt handle.`);
}

/** The entries of a batch; what is wrong with the batch itself is thrown. */
function entriesOf(input: Input, what: string): readonly Input[] {
  const { Entries } = input;
  if (!Array.isArray(Entries) || Entries.length === 0) {
    throw new SqsError("EmptyBatchRequest", `There should be at least one ${what} in the request.`);
  }
  if (Entries.length > mostEntries) {
    const message = `Maximum number of entries per request are ${mostEntries}. You have sent ${Entries.length}.`;
    throw new SqsError("TooManyEntriesInBatchRequest", message);
  }
  const ids = new Set<string>();
  for (const entry of Entries) {
    const id = isInput(entry) ? textOf(entry, "Id") : undefined;
    if (id === undefined || !isWord(id, longestId)) {
      const message =
        "A batch entry id can only contain alphanumeric characters, hyphens and underscores. It can be at most 80 letters long.";
      throw new SqsError("InvalidBatchEntryId", message);
    }
    if (ids.has(id)) throw new SqsError("BatchEntryIdsNotDistinct", `Id ${id} repeated.`);
    ids.add(id);
  }
  return Entries;
}

/** What became of each entry; `act` gives the members of its answer, as JSON. Ids have nothing that JSON escapes. */
function forEach(entries: readonly Input[], act: (entry: Input) => string): string {
  let done = "";
  let failed = "";
  for (const entry of entries) {
    try {
      const members = act(entry);
      done += `${done === "" ? "" : ","}{"Id":"${entry.Id}"${members === "" ? "" : ","}${members}}`;
    } catch (error) {
      if (!(error instanceof SqsError)) throw error;
      const failure = { Id: entry.Id, SenderFault: true, Code: error.code, Message: error.message };
      failed += `${failed === "" ? "" : ","}${JSON.stringify(failure)}`;
    }
  }
  return `{"Successful":[${done}],"Failed":[${failed}]}`;
}
