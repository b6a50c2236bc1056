/**
 * The names that attributes had before OpenTelemetry's conventions settled, for dashboards that still ask for them
 * (`--semconv-compat`). The new ones stay; `rpc.method` has the same name in both, and its new value.
 */

import { type Attributes, type AttributeValue, SpanKind } from "@opentelemetry/api";
import { grpcNames } from "../../words/errors.ts";
import { key } from "../names.ts";

/** Deprecated key for each of today's, where the value is the same. */
export const oldKeys: Readonly<Record<string, string>> = {
  [key.clientAddress]: "http.client_ip",
  [key.dbCollectionName]: "db.sql.table",
  [key.dbNamespace]: "db.name",
  [key.dbOperationName]: "db.operation",
  [key.dbQueryText]: "db.statement",
  [key.httpRequestMethod]: "http.method",
  [key.httpResponseStatusCode]: "http.status_code",
  [key.networkProtocolVersion]: "http.flavor",
  [key.urlFull]: "http.url",
  [key.urlScheme]: "http.scheme",
  [key.userAgentOriginal]: "http.user_agent",
};

/** The same for values whose spelling has changed; what is not named here is as it was. */
export const oldValues: Readonly<Record<string, { key: string; values: Readonly<Record<string, string>> }>> = {
  [key.dbSystemName]: { key: "db.system", values: { "aws.dynamodb": "dynamodb" } },
  [key.messagingSystemName]: { key: "messaging.system", values: { "aws.sqs": "aws_sqs" } },
  [key.messagingOperationType]: { key: "messaging.operation", values: { send: "publish" } },
  [key.rpcSystemName]: { key: "rpc.system", values: { connectrpc: "connect_rpc" } },
};

/** The old twins of a span's attributes. */
export function oldTwins(kind: SpanKind, attributes: Attributes): Attributes {
  const twins: Record<string, AttributeValue> = {};
  for (const [name, value] of Object.entries(attributes)) {
    const oldKey = oldKeys[name];
    const changed = oldValues[name];
    if (value === undefined) continue;
    if (oldKey) twins[oldKey] = value;
    else if (changed) twins[changed.key] = changed.values[String(value)] ?? value;
  }
  return { ...twins, ...peerTwins(kind, attributes), ...httpTwins(attributes), ...rpcTwins(attributes) };
}

/** A server told where it listens, everybody else whom it called. */
function peerTwins(kind: SpanKind, attributes: Attributes): Attributes {
  const { [key.serverAddress]: address, [key.serverPort]: port } = attributes;
  const side = kind === SpanKind.SERVER ? "net.host" : "net.peer";
  return {
    ...(address !== undefined && { [`${side}.name`]: address }),
    ...(port !== undefined && { [`${side}.port`]: port }),
  };
}

function httpTwins({ [key.urlPath]: path, [key.urlQuery]: query }: Attributes): Attributes {
  return path === undefined ? {} : { "http.target": query === undefined ? path : `${path}?${query}` };
}

function rpcTwins(attributes: Attributes): Attributes {
  const { [key.rpcMethod]: method, [key.rpcStatusCode]: status, [key.rpcSystemName]: system } = attributes;
  if (method === undefined) return {};
  const service = { "rpc.service": String(method).split("/", 1)[0] };
  if (status === undefined) return service;
  if (system === "grpc") return { ...service, "rpc.grpc.status_code": grpcNames.indexOf(String(status)) };
  return { ...service, ...(status !== "ok" && { "rpc.connect_rpc.error_code": status }) };
}
