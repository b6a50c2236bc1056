/**
 * Every kind of span that Throughline makes, and what it carries. docs/telemetry.md is made from this table, and the
 * spans of a run of every fate are held against it.
 */

import { key, ownKey } from "../names.ts";

export interface SpanRow {
  /** As the docs call it, in Markdown. */
  title: string;
  kind: "SERVER" | "CLIENT" | "PRODUCER" | "CONSUMER" | "INTERNAL";
  /** Of the names of such spans, with the queues called as they are by default. */
  name: RegExp;
  /** Keys that each of them carries. */
  always: readonly string[];
  /** Keys that some carry, and when. */
  sometimes: Readonly<Record<string, string>>;
}

const server = [key.serverAddress, key.serverPort];
const rpc = [key.rpcSystemName, key.rpcMethod, key.rpcStatusCode, ...server];
const database = [key.dbSystemName, key.dbOperationName, key.dbCollectionName];
const messaging = [
  key.messagingSystemName,
  key.messagingOperationName,
  key.messagingOperationType,
  key.messagingDestinationName,
  key.sqsQueueUrl,
  ...server,
];
const oneMessage = [...messaging, key.messagingMessageBodySize];
const delivery = [...oneMessage, key.messagingMessageId, ownKey.receiveCount, ownKey.queueWaitMs];
const correlated = "when the message has a correlation id";
const ofAMessage = { [key.messagingMessageConversationId]: correlated };
const ofADelivery = { ...ofAMessage, [ownKey.correlationId]: correlated };
const task = [ownKey.taskId, ownKey.taskType];
const shownMetadata = { [ownKey.metadata]: "and a key that `--metadata-attributes` names" };
const confirmed = { [key.messagingMessageId]: "once the broker has taken it" };

export const spanTable: readonly SpanRow[] = [
  {
    title: "HTTP server",
    kind: "SERVER",
    name: /^[A-Z]+( \/\S*)?$/,
    always: [
      key.httpRequestMethod,
      key.httpResponseStatusCode,
      key.urlPath,
      key.urlScheme,
      ...server,
      key.clientAddress,
      key.networkProtocolVersion,
      ownKey.correlationId,
    ],
    sometimes: {
      [key.httpRoute]: "when there is one",
      [ownKey.caller]: "the name of the API key",
      [key.urlQuery]: "without secrets",
      [key.userAgentOriginal]: "as the caller says",
      [key.httpRequestMethodOriginal]: "of a method that is not known",
    },
  },
  {
    title: "HTTP client: `ctx.fetch`, the task type `http`",
    kind: "CLIENT",
    name: /^[A-Z]+$/,
    always: [key.httpRequestMethod, key.urlFull, ...server],
    sometimes: {
      [key.httpResponseStatusCode]: "when it was answered",
      [key.httpRequestMethodOriginal]: "of a method that is not known",
      [key.httpRequestResendCount]: "when a redirect led there",
    },
  },
  { title: "RPC client", kind: "CLIENT", name: /^tasks\.TaskService\/\w+$/, always: rpc, sometimes: {} },
  {
    title: "RPC server",
    kind: "SERVER",
    name: /^tasks\.TaskService\/\w+$/,
    always: rpc,
    sometimes: {
      [ownKey.taskId]: "of the task that it made",
      [ownKey.taskType]: "of the task that it made",
      [ownKey.scheduleId]: "of the schedule that it made, changed or deleted",
      ...shownMetadata,
    },
  },
  {
    title: "`create task`, of each task of a batch",
    kind: "INTERNAL",
    name: /^create task$/,
    always: [],
    sometimes: {
      [ownKey.taskId]: "of the task that was made",
      [ownKey.taskType]: "of the task that was made",
      ...shownMetadata,
    },
  },
  {
    title: "SQLite",
    kind: "CLIENT",
    name: /^(SELECT|INSERT|UPDATE|DELETE) \w+$/,
    always: [...database, key.dbNamespace, key.dbQueryText],
    sometimes: { [key.dbResponseStatusCode]: "on failure" },
  },
  {
    title: "DynamoDB",
    kind: "CLIENT",
    name: /^((Get|Put|Update|BatchGet)Item|Query|TransactWriteItems) [\w.-]+$/,
    always: [...database, key.dynamoTableNames, key.cloudRegion, ...server],
    sometimes: {
      [key.dynamoConsumedCapacity]: "when it was answered",
      [key.awsRequestId]: "when it was answered",
      [key.dbResponseStatusCode]: "on failure",
    },
  },
  {
    title: "`send` of a task",
    kind: "PRODUCER",
    name: /^send task-events$/,
    always: [...oneMessage, ...task],
    sometimes: { ...ofAMessage, ...confirmed },
  },
  {
    title: "`process` of a task",
    kind: "CONSUMER",
    name: /^process task-events$/,
    always: [...delivery, ownKey.workerId],
    sometimes: {
      ...ofADelivery,
      [ownKey.taskId]: "unless it cannot be read",
      [ownKey.taskType]: "unless it cannot be read",
      [ownKey.attempt]: "when it was claimed",
      [ownKey.outcome]: "of the attempt, or of the claim",
      ...shownMetadata,
    },
  },
  {
    title: "`run …`",
    kind: "INTERNAL",
    name: /^run \S+$/,
    always: [...task, ownKey.attempt, key.threadId, key.threadName],
    sometimes: {},
  },
  {
    title: "`send` of a dead letter",
    kind: "PRODUCER",
    name: /^send task-events-dlq$/,
    always: [...oneMessage, ownKey.deadReason, ownKey.deadSourceQueue, ownKey.attempts],
    sometimes: { ...ofAMessage, ...confirmed },
  },
  {
    title: "`process` of a dead letter",
    kind: "CONSUMER",
    name: /^process task-events-dlq$/,
    always: [...delivery, ownKey.taskType, ownKey.deadReason, ownKey.deadSourceQueue],
    sometimes: {
      ...ofADelivery,
      [ownKey.taskId]: "unless it cannot be read",
      [ownKey.attempts]: "when the death is recorded",
    },
  },
  {
    title: "`receive`, `delete`, `change_visibility`",
    kind: "CLIENT",
    name: /^(receive|delete|change_visibility) task-events(-dlq)?$/,
    always: [...messaging, key.messagingBatchMessageCount],
    sometimes: {},
  },
  {
    title: "`redrive tasks`, the root of a task's new trace",
    kind: "INTERNAL",
    name: /^redrive tasks$/,
    always: [...task, ownKey.correlationId, ownKey.redriveId],
    sometimes: { [ownKey.redriveReason]: "if one was given" },
  },
  {
    title: "`fire schedule`, the root of a run's trace",
    kind: "INTERNAL",
    name: /^fire schedule$/,
    always: [...task, ownKey.correlationId, ownKey.scheduleId, ownKey.scheduledFor],
    sometimes: shownMetadata,
  },
  { title: "`start …`, of each role", kind: "INTERNAL", name: /^start [a-z-]+$/, always: [], sometimes: {} },
];

/** On any span. */
export const anySpan: Readonly<Record<string, string>> = {
  [key.errorType]: "when it failed",
  [ownKey.forced]: "when its trace was forced",
};
