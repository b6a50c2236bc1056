/** What spans, log records and metrics have in common in OTLP, as plain JavaScript: attributes, ids, times, resources. */

import type { AnyValue, KeyValue } from "../gen/opentelemetry/proto/common/v1/common_pb.ts";
import type { Resource } from "../gen/opentelemetry/proto/resource/v1/resource_pb.ts";
import { cutText } from "./cut-texts.ts";

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
const maxResourceTextChars = 1024;

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
