/**
 * The export requests of OTLP 1.9, of spans, log records and metrics alike: their messages have the same shape and the
 * same field numbers. Read in both encodings, as a whole or item by item where each stands in the bytes; written from
 * items that were encoded before. Pure. A body that cannot be read is a `TaskError` with `invalid_argument`; unknown
 * fields are ignored, so that a newer sender is not refused.
 */

import {
  type DescMessage,
  fromBinary,
  fromJson,
  type JsonValue,
  type MessageShape,
  toBinary,
} from "@bufbuild/protobuf";
import type { Resource } from "@opentelemetry/resources";
import type { ReadableSpan } from "@opentelemetry/sdk-trace-base";
import { ResourceSchema } from "../gen/opentelemetry/proto/resource/v1/resource_pb.ts";
import { TaskError } from "../words/errors.ts";
import { Fields, lastField, ProtobufWriter, type Range, type Written } from "./protobuf.ts";
import { type Origin, toOrigin, writeAttributes } from "./values.ts";
import { maxWeight, weighJson, weighProtobuf } from "./weight.ts";

export type OtlpEncoding = "protobuf" | "json";

/** One request's body, already inflated. */
export interface OtlpBody {
  encoding: OtlpEncoding;
  bytes: Uint8Array;
}

/** Reads `body` as the message that `schema` describes; `payload_too_large` when it would become too much of it. */
export function parseOtlp<Desc extends DescMessage>(schema: Desc, body: OtlpBody): MessageShape<Desc> {
  return readAs(schema, body, () =>
    body.encoding === "json" ? parseJson(schema, body.bytes) : fromBinary(schema, body.bytes),
  );
}

/** The same without reading it: the message in protobuf, of which every part can be read later. */
export function toProtobuf(schema: DescMessage, body: OtlpBody): Uint8Array {
  if (body.encoding === "protobuf") return readAs(schema, body, () => body.bytes);
  const bytes = readAs(schema, body, () => toBinary(schema, parseJson(schema, body.bytes)));
  return readAs(schema, { encoding: "protobuf", bytes }, () => bytes);
}

function readAs<T>(schema: DescMessage, { encoding, bytes }: OtlpBody, read: () => T): T {
  try {
    const weight = encoding === "json" ? weighJson(bytes) : weighProtobuf(schema, bytes);
    if (weight <= maxWeight) return read();
  } catch (thrown) {
    const reason = thrown instanceof Error ? thrown.message : String(thrown);
    throw new TaskError("invalid_argument", `reading ${schema.name} as ${encoding}: ${reason}`, { cause: thrown });
  }
  const message = `reading ${schema.name} as ${encoding}: it has too many items and attributes: send fewer at once`;
  throw new TaskError("payload_too_large", message);
}

function parseJson<Desc extends DescMessage>(schema: Desc, bytes: Uint8Array): MessageShape<Desc> {
  const text = new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  const json: JsonValue = JSON.parse(text, toProtobufJson);
  return fromJson(schema, json, { ignoreUnknownFields: true });
}

const idFields: ReadonlySet<string> = new Set(["traceId", "spanId", "parentSpanId"]);
const hex = /^(?:[0-9a-f]{2})*$/i;

/**
 * OTLP/JSON writes ids in hex where protobuf's JSON has base64 ("JSON Protobuf Encoding"). Only a field can have such a
 * name here: attribute keys are values of fields called `key`. What is not hex stays: base64 from a plain protobuf
 * encoder, never mistaken for hex because ids of 8 and 16 bytes end in `=`; an unknown field; or refused by the parser.
 */
function toProtobufJson(field: string, value: unknown): unknown {
  const isHexId = idFields.has(field) && typeof value === "string" && hex.test(value);
  return isHexId ? Uint8Array.fromHex(value).toBase64() : value;
}

/** Of the request, of what one resource sent, and of what one scope of it made. */
const requestField = { resources: 1 } as const;
const resourceField = { resource: 1, scopes: 2, schemaUrl: 3 } as const;
const scopeField = { scope: 1, items: 2, schemaUrl: 3 } as const;

/** The sender of the items below one resource: read when it is first used. */
class Sender {
  resource: Range | undefined;
  #origin: Origin | undefined;
  readonly #bytes: Uint8Array;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  origin(): Origin {
    const { start, end } = this.resource ?? { start: 0, end: 0 };
    this.#origin ??= toOrigin(fromBinary(ResourceSchema, this.#bytes.subarray(start, end)));
    return this.#origin;
  }
}

/** One span or log record. */
export class OtlpItem implements Range {
  readonly request: Uint8Array;
  readonly start: number;
  readonly end: number;
  readonly #sender: Sender;

  constructor(request: Uint8Array, { start, end }: Range, sender: Sender) {
    this.request = request;
    this.start = start;
    this.end = end;
    this.#sender = sender;
  }

  get origin(): Origin {
    return this.#sender.origin();
  }

  bytes(): Uint8Array {
    return this.request.subarray(this.start, this.end);
  }

  /** A field that is no list: where it is there more than once, the last one holds. */
  field(fieldNumber: number): Range | undefined {
    return lastField(this.request, this, fieldNumber);
  }

  /** What the list `fieldNumber` of key and value has under `key`; the last one holds. */
  value(fieldNumber: number, key: Uint8Array): Range | undefined {
    let found: Range | undefined;
    for (const fields = new Fields(this.request, this.start, this.end); fields.next(); ) {
      if (fields.number === fieldNumber) found = valueUnder(key, this.request, fields) ?? found;
    }
    return found;
  }
}

/** common.proto, `KeyValue`. */
const pair = { key: 1, value: 2 } as const;

function valueUnder(key: Uint8Array, bytes: Uint8Array, { start, end }: Range): Range | undefined {
  let found: Range | undefined;
  // An empty text is not written.
  let isUnderKey = key.length === 0;
  for (const fields = new Fields(bytes, start, end); fields.next(); ) {
    if (fields.number === pair.key) isUnderKey = isSame(key, bytes, fields);
    else if (fields.number === pair.value) found = { start: fields.start, end: fields.end };
  }
  return isUnderKey ? (found ?? { start: end, end }) : undefined;
}

function isSame(wanted: Uint8Array, bytes: Uint8Array, { start, end }: Range): boolean {
  if (end - start !== wanted.length) return false;
  for (let at = 0; at < wanted.length; at++) if (bytes[start + at] !== wanted[at]) return false;
  return true;
}

/** In their order. `request`: in protobuf, well formed. */
export function itemsOf(request: Uint8Array): OtlpItem[] {
  const items: OtlpItem[] = [];
  for (const senders = new Fields(request); senders.next(); ) {
    if (senders.number !== requestField.resources) continue;
    const sender = new Sender(request);
    for (const scopes = new Fields(request, senders.start, senders.end); scopes.next(); ) {
      if (scopes.number === resourceField.resource) sender.resource = { start: scopes.start, end: scopes.end };
      if (scopes.number !== resourceField.scopes) continue;
      for (const fields = new Fields(request, scopes.start, scopes.end); fields.next(); ) {
        if (fields.number === scopeField.items) items.push(new OtlpItem(request, fields, sender));
      }
    }
  }
  return items;
}

export type Scope = ReadableSpan["instrumentationScope"];

/** A span, a log record or a metric, already in bytes. */
export interface EncodedItem {
  resource: Resource;
  instrumentationScope: Scope;
  written: Written;
  /** Of a metric: its points, which count one by one. */
  points?: number;
}

const resource = { attributes: 1 } as const;
const scope = { name: 1, version: 2 } as const;

/** For what is around the items, and for the tag and the length of each. */
const roomAround = 4096;
const roomOfItem = 8;

export function toRequest(items: readonly EncodedItem[]): Uint8Array {
  const size = items.reduce((sum, { written }) => sum + written.length + roomOfItem, roomAround);
  const to = new ProtobufWriter(size);
  for (const [from, ofResource] of Map.groupBy(items, (item) => item.resource)) {
    const start = to.open(requestField.resources);
    const own = to.open(resourceField.resource);
    writeAttributes(to, resource.attributes, from.attributes);
    to.close(own);
    for (const [by, ofScope] of Map.groupBy(ofResource, (item) => item.instrumentationScope)) {
      writeScopeItems(to, by, ofScope);
    }
    to.text(resourceField.schemaUrl, from.schemaUrl ?? "");
    to.close(start);
  }
  return to.take().view();
}

function writeScopeItems(to: ProtobufWriter, by: Scope, items: readonly EncodedItem[]): void {
  const start = to.open(resourceField.scopes);
  const own = to.open(scopeField.scope);
  to.text(scope.name, by.name);
  to.text(scope.version, by.version ?? "");
  to.close(own);
  for (const { written } of items) to.message(scopeField.items, written);
  to.text(scopeField.schemaUrl, by.schemaUrl ?? "");
  to.close(start);
}
