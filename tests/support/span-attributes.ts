/** What each span must carry, and must not: telemetry.md, section 3. */

import { expect } from "bun:test";
import { dirname, join } from "node:path";
import type { ReceivedSpan } from "../../src/otlp/span.ts";

const text = expect.stringMatching(/./);
const number = expect.any(Number);

const server = { "server.address": text, "server.port": number };

export type RpcProtocol = "connect" | "grpc";

/** The protocol and the status of a call that succeeded. */
const rpcWires: Record<RpcProtocol, Record<string, unknown>> = {
  connect: { "rpc.system.name": "connectrpc", "rpc.status_code": "ok" },
  grpc: { "rpc.system.name": "grpc", "rpc.status_code": "OK" },
};

const rpc = { ...server, "rpc.method": "tasks.TaskService/CreateTask" };

const sqlite = {
  "db.system.name": "sqlite",
  "db.collection.name": "tasks",
  "db.namespace": text,
  "db.query.text": expect.stringMatching(/\?|:\w+|\$\w+/),
};

const messaging = { ...server, "messaging.system.name": "aws.sqs", "aws.sqs.queue.url": text };

function oneMessage(operation: "send" | "process", queue: string): Record<string, unknown> {
  return {
    ...messaging,
    "messaging.operation.name": operation,
    "messaging.operation.type": operation,
    "messaging.destination.name": queue,
    "messaging.message.id": text,
    "messaging.message.conversation_id": text,
    "messaging.message.body.size": number,
  };
}

function manyMessages(operation: string, type: "receive" | "settle", queue: string): Record<string, unknown> {
  return {
    ...messaging,
    "messaging.operation.name": operation,
    "messaging.operation.type": type,
    "messaging.destination.name": queue,
    "messaging.batch.message_count": number,
  };
}

const delivery = {
  task_id: text,
  task_type: text,
  "throughline.receive_count": number,
  "throughline.queue_wait_ms": number,
};

const death = {
  "throughline.dead.reason": "attempts_exhausted",
  "throughline.dead.source_queue": "task-events",
  "throughline.attempts": 2,
};

/** By kind and name; `run …` of every task type is one row. */
const attributeTable: Record<string, Record<string, unknown>> = {
  "SERVER POST /v1/tasks": {
    ...server,
    "http.request.method": "POST",
    "http.route": "/v1/tasks",
    "http.response.status_code": 202,
    "url.path": "/v1/tasks",
    "url.scheme": "http",
    "client.address": "127.0.0.1",
    "network.protocol.version": "1.1",
    "user_agent.original": text,
  },
  "CLIENT tasks.TaskService/CreateTask": rpc,
  "SERVER tasks.TaskService/CreateTask": { ...rpc, task_id: text },
  "CLIENT INSERT tasks": { ...sqlite, "db.operation.name": "INSERT" },
  "CLIENT UPDATE tasks": { ...sqlite, "db.operation.name": "UPDATE" },
  "PRODUCER send task-events": oneMessage("send", "task-events"),
  "CONSUMER process task-events": {
    ...oneMessage("process", "task-events"),
    ...delivery,
    attempt: number,
    "throughline.outcome": expect.stringMatching(/^(succeeded|failed)$/),
    "throughline.worker.id": text,
  },
  "INTERNAL run": { task_id: text, task_type: text, attempt: number, "thread.id": number, "thread.name": text },
  "PRODUCER send task-events-dlq": { ...oneMessage("send", "task-events-dlq"), ...death },
  "CONSUMER process task-events-dlq": { ...oneMessage("process", "task-events-dlq"), ...delivery, ...death },
  "CLIENT receive task-events": manyMessages("receive", "receive", "task-events"),
  "CLIENT delete task-events": manyMessages("delete", "settle", "task-events"),
  "CLIENT change_visibility task-events": manyMessages("change_visibility", "settle", "task-events"),
  "CLIENT receive task-events-dlq": manyMessages("receive", "receive", "task-events-dlq"),
  "CLIENT delete task-events-dlq": manyMessages("delete", "settle", "task-events-dlq"),
};

const resource = {
  "service.namespace": "throughline",
  "service.version": text,
  "service.instance.id": text,
  "deployment.environment.name": "development",
  "process.pid": number,
  "process.runtime.name": "bun",
  "process.runtime.version": text,
  "host.name": text,
};

/** Fails unless every span is one of the table and carries what the table says; `protocol` is that of the calls. */
export function expectAttributes(spans: readonly ReceivedSpan[], protocol: RpcProtocol): void {
  for (const { kind, name, attributes, resource: origin, status } of spans) {
    const row = `${kind} ${name}`.replace(/^INTERNAL run .*/, "INTERNAL run");
    const required = attributeTable[row];
    if (!required) throw new Error(`the table has no row "${row}"`);
    const wire = name.includes("TaskService/") ? rpcWires[protocol] : {};
    const error = status.code === "ERROR" ? { "error.type": text } : {};
    expect({ row, ...attributes }).toMatchObject({ row, ...required, ...wire, ...error });
    // A copy: Bun's matcher writes into what it compares, and all spans of a request share their resource.
    expect({ ...origin }).toMatchObject(resource);
  }
}

/** Every attribute key that OpenTelemetry's own list of names calls deprecated. */
export async function deprecatedKeys(): Promise<Set<string>> {
  return new Set([...(await listedKeys())].filter(([, isDeprecated]) => isDeprecated).map(([key]) => key));
}

/** Every attribute key of that list that is not deprecated. */
export async function knownKeys(): Promise<Set<string>> {
  return new Set([...(await listedKeys())].filter(([, isDeprecated]) => !isDeprecated).map(([key]) => key));
}

/** Whether each is deprecated. */
async function listedKeys(): Promise<Map<string, boolean>> {
  const folder = dirname(Bun.resolveSync("@opentelemetry/semantic-conventions", import.meta.dir));
  const types = await Promise.all(
    ["stable_attributes.d.mts", "experimental_attributes.d.mts"].map((file) => Bun.file(join(folder, file)).text()),
  );
  const declared = types.join("").matchAll(/\/\*\*((?:(?!\*\/).)*)\*\/\s*declare const ATTR_\w+: "([^"]+)"/gs);
  const isDeprecated = new Map<string, boolean>();
  for (const [, comment = "", key = ""] of declared) isDeprecated.set(key, comment.includes("@deprecated"));
  return isDeprecated;
}
