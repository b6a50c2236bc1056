/**
 * Attributes that several spans write in the same way: HTTP's method, URL and server, bounded; those of a task's metadata,
 * of which only the keys that a setting names are shown, because it may be anything, personal data too; and the names that
 * attributes had before OpenTelemetry's conventions settled, for dashboards that still use them (`--semconv-compat`). The
 * new ones stay; `rpc.method` has the same name in both, and its new value.
 */

import { type Attributes, type AttributeValue, SpanKind } from "@opentelemetry/api";
import { grpcNames } from "../../words/errors.ts";
import { key, ownKey } from "../names.ts";

/** OpenTelemetry semantic conventions 1.45, `http.request.method`. */
const knownMethods = new Set("CONNECT DELETE GET HEAD OPTIONS PATCH POST PUT QUERY TRACE".split(" "));

/** What the conventions give to a value that is not one of a known few. */
export const other = "_OTHER";

/** Text from outside is cut at this length; a URL at the other. */
const maxTextLength = 256;
const maxUrlLength = 2048;

/** The method in a span's name: never a word that the caller made up. */
export function methodName(method: string): string {
  return knownMethods.has(method) ? method : "HTTP";
}

/** The method, if the conventions know it. */
export function knownMethod(method: string): string {
  return knownMethods.has(method) ? method : other;
}

export function methodAttributes(method: string): Attributes {
  const known = knownMethod(method);
  return {
    [key.httpRequestMethod]: known,
    ...(known === other && { [key.httpRequestMethodOriginal]: cutText(method) }),
  };
}

/** Host and port of a URL; an IPv6 address without its brackets. */
export function serverAttributes({ hostname, port, protocol }: URL): Attributes {
  return {
    [key.serverAddress]: cutText(hostname.replace(/^\[|\]$/g, "")),
    [key.serverPort]: Number(port) || (protocol === "https:" ? 443 : 80),
  };
}

export function cutText(text: string): string {
  return text.slice(0, maxTextLength).toWellFormed();
}

export function cutUrl(text: string): string {
  return text.slice(0, maxUrlLength).toWellFormed();
}

/** As it is sent: the fragment never is. What is secret in it is masked when the span is exported. */
export function urlAttribute(url: URL): Attributes {
  return { [key.urlFull]: cutUrl(url.href.slice(0, url.href.length - url.hash.length)) };
}

/** `throughline.metadata.<key>` for each of the `shown` keys that the task has. */
export function metadataAttributes(metadata: Readonly<Record<string, string>>, shown: readonly string[]): Attributes {
  const attributes: Record<string, string> = {};
  for (const name of shown) {
    const value = Object.hasOwn(metadata, name) ? metadata[name] : undefined;
    if (value !== undefined) attributes[ownKey.metadata + name] = value;
  }
  return attributes;
}

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

/** A span's attributes under their old names. */
export function oldAttributes(kind: SpanKind, attributes: Attributes): Attributes {
  const old: Record<string, AttributeValue> = {};
  for (const [name, value] of Object.entries(attributes)) {
    const oldKey = oldKeys[name];
    const changed = oldValues[name];
    if (value === undefined) continue;
    if (oldKey) old[oldKey] = value;
    else if (changed) old[changed.key] = changed.values[String(value)] ?? value;
  }
  return {
    ...old,
    ...oldPeerAttributes(kind, attributes),
    ...oldHttpAttributes(attributes),
    ...oldRpcAttributes(attributes),
  };
}

/** A server names the address where it listens, a client the one that it called. */
function oldPeerAttributes(kind: SpanKind, attributes: Attributes): Attributes {
  const { [key.serverAddress]: address, [key.serverPort]: port } = attributes;
  const side = kind === SpanKind.SERVER ? "net.host" : "net.peer";
  return {
    ...(address !== undefined && { [`${side}.name`]: address }),
    ...(port !== undefined && { [`${side}.port`]: port }),
  };
}

function oldHttpAttributes({ [key.urlPath]: path, [key.urlQuery]: query }: Attributes): Attributes {
  return path === undefined ? {} : { "http.target": query === undefined ? path : `${path}?${query}` };
}

function oldRpcAttributes(attributes: Attributes): Attributes {
  const { [key.rpcMethod]: method, [key.rpcStatusCode]: status, [key.rpcSystemName]: system } = attributes;
  if (method === undefined) return {};
  const service = { "rpc.service": String(method).split("/", 1)[0] };
  if (status === undefined) return service;
  if (system === "grpc") return { ...service, "rpc.grpc.status_code": grpcNames.indexOf(String(status)) };
  return { ...service, ...(status !== "ok" && { "rpc.connect_rpc.error_code": status }) };
}
