/**
 * Every attribute key that Throughline puts on spans, logs and resources. The first part are keys of the OpenTelemetry
 * semantic conventions 1.45, copied as its package advises for those still in development, and held equal to the
 * package by a test. The second part is ours.
 */

export const key = {
  awsRequestId: "aws.request_id",
  clientAddress: "client.address",
  cloudRegion: "cloud.region",
  dbCollectionName: "db.collection.name",
  dbNamespace: "db.namespace",
  dbOperationName: "db.operation.name",
  dbQueryText: "db.query.text",
  dbResponseStatusCode: "db.response.status_code",
  dbSystemName: "db.system.name",
  deploymentEnvironmentName: "deployment.environment.name",
  dynamoConsumedCapacity: "aws.dynamodb.consumed_capacity",
  dynamoTableNames: "aws.dynamodb.table_names",
  errorType: "error.type",
  exceptionMessage: "exception.message",
  exceptionStacktrace: "exception.stacktrace",
  exceptionType: "exception.type",
  hostName: "host.name",
  httpRequestMethod: "http.request.method",
  httpRequestMethodOriginal: "http.request.method_original",
  httpRequestResendCount: "http.request.resend_count",
  httpResponseStatusCode: "http.response.status_code",
  httpRoute: "http.route",
  messagingBatchMessageCount: "messaging.batch.message_count",
  messagingDestinationName: "messaging.destination.name",
  messagingMessageBodySize: "messaging.message.body.size",
  messagingMessageConversationId: "messaging.message.conversation_id",
  messagingMessageId: "messaging.message.id",
  messagingOperationName: "messaging.operation.name",
  messagingOperationType: "messaging.operation.type",
  messagingSystemName: "messaging.system.name",
  networkProtocolVersion: "network.protocol.version",
  processPid: "process.pid",
  processRuntimeName: "process.runtime.name",
  processRuntimeVersion: "process.runtime.version",
  rpcMethod: "rpc.method",
  rpcStatusCode: "rpc.status_code",
  rpcSystemName: "rpc.system.name",
  serverAddress: "server.address",
  serverPort: "server.port",
  serviceInstanceId: "service.instance.id",
  serviceName: "service.name",
  serviceNamespace: "service.namespace",
  serviceVersion: "service.version",
  sqsQueueUrl: "aws.sqs.queue.url",
  threadId: "thread.id",
  threadName: "thread.name",
  urlFull: "url.full",
  urlPath: "url.path",
  urlQuery: "url.query",
  urlScheme: "url.scheme",
  userAgentOriginal: "user_agent.original",
} as const;

export const ownKey = {
  taskId: "task_id",
  taskType: "task_type",
  attempt: "attempt",
  correlationId: "correlation_id",
  attempts: "throughline.attempts",
  /** Not `user.id` nor `enduser.id`: a key is a program's, and no person. */
  caller: "throughline.caller",
  causeChain: "throughline.error.cause_chain",
  deadReason: "throughline.dead.reason",
  deadSourceQueue: "throughline.dead.source_queue",
  forced: "throughline.forced",
  /** Begins the keys that a setting allows. */
  metadata: "throughline.metadata.",
  outcome: "throughline.outcome",
  progress: "throughline.progress",
  queueWaitMs: "throughline.queue_wait_ms",
  receiveCount: "throughline.receive_count",
  redriveId: "throughline.redrive.id",
  redriveReason: "throughline.redrive.reason",
  scheduledFor: "throughline.schedule.scheduled_for",
  scheduleId: "throughline.schedule.id",
  workerId: "throughline.worker.id",
} as const;

/** Keys of the conventions that stand on metrics only. */
export const metricKey = {
  componentType: "otel.component.type",
  connectionState: "db.client.connection.state",
  cpuMode: "cpu.mode",
  poolName: "db.client.connection.pool.name",
} as const;

/** `service.name` of each role, and of the supervisor that starts and watches them. */
export const serviceNames = {
  gateway: "api-gateway",
  "task-service": "task-service",
  worker: "worker",
  dlq: "dlq-processor",
  console: "console",
  supervisor: "throughline",
} as const;

/** The instrumentation scope of everything made here. */
export const scopeName = "throughline";
