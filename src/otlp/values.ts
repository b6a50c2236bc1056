/**
 * What spans, log records and metrics have in common in OTLP: attributes, ids, times, resources. Read as plain
 * JavaScript, and written from the values of OpenTelemetry's API (opentelemetry-proto, common/v1/common.proto). Pure.
 */

import type { AnyValue, KeyValue } from "../gen/opentelemetry/proto/common/v1/common_pb.ts";
import type { Resource } from "../gen/opentelemetry/proto/resource/v1/resource_pb.ts";
import { cutText } from "../words/text.ts";
import type { ProtobufWriter } from "./protobuf.ts";

/** int64 becomes a number (exact up to 2^53), bytes become base64, an empty value is null. */
export type AttributeValue = string | number | boolean | null | AttributeValue[] | Attributes;

export interface Attributes {
  [key: string]: AttributeValue;
}

/** Who sent it. `resource` is one object for all that came from it in one request: read it, do not change it. */
export interface Origin {
  /** `service.name`; `unknown_service` when the sender gave none (resource semantic conventions). */
  service: string;
  resource: Attributes;
}

export function toOrigin(resource: Resource | undefined): Origin {
  const attributes = shorten(toAttributes(resource?.attributes ?? []));
  const service = attributes["service.name"];
  return { service: typeof service === "string" && service ? service : "unknown_service", resource: attributes };
}

/** Characters of JSON that a resource may have: it stands on every span and log record that came with it. */
const maxResourceChars = 16 * 1024;
const maxResourceTextChars = 1024 + 1;

/** As it is, unless it is far larger than any resource: then texts are cut, and what is too much is left out. */
function shorten(attributes: Attributes): Attributes {
  if (JSON.stringify(attributes).length <= maxResourceChars) return attributes;
  let room = maxResourceChars;
  const kept = Object.entries(attributes).flatMap(([key, value]): [string, AttributeValue][] => {
    const short = typeof value === "string" ? cutText(value, maxResourceTextChars) : value;
    const size = key.length + JSON.stringify(short).length;
    if (size > room) return [];
    room -= size;
    return [[key, short]];
  });
  return Object.fromEntries(kept);
}

/** Of two attributes with the same key the last one holds. */
export function toAttributes(pairs: readonly KeyValue[]): Attributes {
  // Not by assignment: a key called `__proto__` is only a key.
  return Object.fromEntries(pairs.map((pair) => [pair.key, toPlainValue(pair.value)]));
}

export function toPlainValue(value: AnyValue | undefined): AttributeValue {
  const held = value?.value;
  switch (held?.case) {
    case "stringValue":
    case "boolValue":
    case "doubleValue":
      return held.value;
    case "intValue":
      return Number(held.value);
    case "bytesValue":
      return held.value.toBase64();
    case "arrayValue":
      return held.value.values.map(toPlainValue);
    case "kvlistValue":
      return toAttributes(held.value.values);
    // An index into the dictionary of a profile: outside of profiles it counts as absent.
    case "stringValueStrindex":
    case undefined:
      return null;
  }
}

/** A trace or span id in hex; nothing when it is empty or all zero, which both say "none". */
export function toHexId(bytes: Uint8Array): string | undefined {
  return bytes.some((byte) => byte !== 0) ? bytes.toHex() : undefined;
}

/** Nanoseconds to milliseconds, both since the epoch; the fraction is good to a quarter of a microsecond. */
export function toMs(unixNano: bigint): number {
  return Number(unixNano / 1_000_000n) + Number(unixNano % 1_000_000n) / 1_000_000;
}

const keyValue = { key: 1, value: 2 } as const;
const anyValue = { string: 1, bool: 2, int: 3, double: 4, array: 5, map: 6, bytes: 7 } as const;
const list = { values: 1 } as const;

/** Each as a `KeyValue` in the repeated field `field`. */
export function writeAttributes(
  to: ProtobufWriter,
  field: number,
  attributes: Readonly<Record<string, unknown>>,
): void {
  for (const name in attributes) writeAttribute(to, field, name, attributes[name]);
}

/** One of them. */
export function writeAttribute(to: ProtobufWriter, field: number, name: string, value: unknown): void {
  const start = to.open(field);
  to.text(keyValue.key, name);
  writeValue(to, keyValue.value, value);
  to.close(start);
}

/** An `AnyValue`; empty for what it cannot hold. */
export function writeValue(to: ProtobufWriter, field: number, value: unknown): void {
  const start = to.open(field);
  if (typeof value === "string") to.wholeText(anyValue.string, value);
  else if (typeof value === "number") writeNumber(to, value);
  else if (typeof value === "boolean") to.wholeUint(anyValue.bool, value ? 1 : 0);
  else if (value instanceof Uint8Array) to.raw(anyValue.bytes, value);
  else if (Array.isArray(value)) {
    const array = to.open(anyValue.array);
    for (const item of value) writeValue(to, list.values, item);
    to.close(array);
  } else if (typeof value === "object" && value !== null) {
    const map = to.open(anyValue.map);
    // A plain object, as the API has it.
    writeAttributes(to, list.values, value as Record<string, unknown>);
    to.close(map);
  }
  to.close(start);
}

function writeNumber(to: ProtobufWriter, value: number): void {
  if (Number.isInteger(value) && value >= -(2 ** 63) && value < 2 ** 63) to.int64(anyValue.int, value);
  else to.double(anyValue.double, value);
}

/** Bytes, or characters of JSON, from which texts are cut: one span or log record must not take the room of thousands. */
export const roomySize = 128 * 1024;
/** Characters that are left of each, and the ellipsis. */
const cutTextChars = 4096 + 1;
/** An item that is larger even then (thousands of events) is dropped. */
const maxChars = 512 * 1024;

/** undefined: the item is too large. */
export function cutTexts<Item extends object>(item: Item): Item | undefined {
  if (JSON.stringify(item).length <= roomySize) return item;
  const cut = JSON.stringify(item, (_, value) => (typeof value === "string" ? cutText(value, cutTextChars) : value));
  return cut.length <= maxChars ? JSON.parse(cut) : undefined;
}
