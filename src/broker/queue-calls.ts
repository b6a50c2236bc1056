/** The calls of SQS about queues. Each takes a request's members and gives those of its answer. */

import { defaultAttributes, readQueueAttributes, wantedAttributes } from "./queue-attributes.ts";
import { account, type BrokerQueue, type Queues } from "./queues.ts";
import { SqsError } from "./sqs-error.ts";
import { type Input, integerOf, isWord, mapOf, requiredText, textOf, textsOf } from "./sqs-input.ts";

/** The queue of a request. Whatever stands before its name, the address and the account, is the caller's own matter. */
export function queueOf(queues: Queues, input: Input): BrokerQueue {
  const url = requiredText(input, "QueueUrl");
  const queue = queues.find(url.slice(url.lastIndexOf("/") + 1));
  if (!queue) throw noQueue();
  return queue;
}

export function noQueue(): SqsError {
  return new SqsError("QueueDoesNotExist", "The specified queue does not exist.");
}

/** `origin`: how the caller reaches the broker. */
function urlOf(name: string, origin: string): string {
  return `${origin}/${account}/${name}`;
}

const longestName = 80;

export function createQueue(queues: Queues, input: Input, origin: string): object {
  const name = requiredText(input, "QueueName");
  // The names of FIFO queues have a period, and are refused with all others that are not SQS's.
  if (!isWord(name, longestName)) {
    const allowed = "Can only include alphanumeric characters, hyphens, or underscores. 1 to 80 in length";
    throw new SqsError("InvalidParameterValue", allowed);
  }
  const wanted = readQueueAttributes(mapOf(input, "Attributes"), (arn) => queues.findByArn(arn) !== undefined);
  const found = queues.find(name);
  if (!found) return { QueueUrl: urlOf(queues.create(name, wanted).name, origin) };
  for (const [attribute, text] of wanted) {
    const own = found.attributes.get(attribute) ?? defaultAttributes().get(attribute) ?? "";
    if (own === text) continue;
    const message = `A queue already exists with the same name and a different value for attribute ${attribute}`;
    throw new SqsError("QueueNameExists", message);
  }
  return { QueueUrl: urlOf(name, origin) };
}

export function getQueueUrl(queues: Queues, input: Input, origin: string): object {
  const name = requiredText(input, "QueueName");
  if (!queues.find(name)) throw noQueue();
  return { QueueUrl: urlOf(name, origin) };
}

const mostListed = 1000;

/** The token is the last name of the page before. */
export function listQueues(queues: Queues, input: Input, origin: string): object {
  const prefix = textOf(input, "QueueNamePrefix") ?? "";
  const after = textOf(input, "NextToken") ?? "";
  const reason = `Must be between 1 and ${mostListed}.`;
  const limit = integerOf(input, "MaxResults", { min: 1, max: mostListed, reason });
  const names = queues.all().flatMap(({ name }) => (name.startsWith(prefix) && name > after ? name : []));
  const page = names.slice(0, limit ?? mostListed);
  if (page.length === 0) return {};
  const isMore = limit !== undefined && names.length > page.length;
  return { QueueUrls: page.map((name) => urlOf(name, origin)), ...(isMore && { NextToken: page.at(-1) }) };
}

export function getQueueAttributes(queues: Queues, input: Input): object {
  const queue = queueOf(queues, input);
  const wanted = wantedAttributes(textsOf(input, "AttributeNames"));
  const all = new Map([...queue.attributes, ...figuresOf(queue)]);
  const found = wanted.flatMap((name): [string, string][] => {
    const text = all.get(name);
    return text === undefined ? [] : [[name, text]];
  });
  return found.length === 0 ? {} : { Attributes: Object.fromEntries(found) };
}

function figuresOf({ counts, createdAtMs, modifiedAtMs, arn }: BrokerQueue): [string, string][] {
  return [
    ["ApproximateNumberOfMessages", String(counts.ready)],
    ["ApproximateNumberOfMessagesDelayed", String(counts.delayed)],
    ["ApproximateNumberOfMessagesNotVisible", String(counts.hidden)],
    ["CreatedTimestamp", String(Math.floor(createdAtMs / 1000))],
    ["LastModifiedTimestamp", String(Math.floor(modifiedAtMs / 1000))],
    ["QueueArn", arn],
  ];
}

export function setQueueAttributes(queues: Queues, input: Input): object {
  const queue = queueOf(queues, input);
  queues.set(
    queue,
    readQueueAttributes(mapOf(input, "Attributes"), (arn) => queues.findByArn(arn) !== undefined),
  );
  return {};
}

/** At once, and as often as it is wanted; the real SQS takes up to a minute, and refuses another in that time. */
export function purgeQueue(queues: Queues, input: Input): object {
  queueOf(queues, input).purge();
  return {};
}

/** Another of the same name can be made at once; the real SQS waits for a minute. */
export function deleteQueue(queues: Queues, input: Input): object {
  queues.delete(queueOf(queues, input));
  return {};
}
