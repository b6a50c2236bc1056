/**
 * How much an OTLP body becomes once it is read, known before it is. Pure. An empty message takes two bytes on the wire
 * and a kilobyte afterwards: without this a body of a megabyte, and sixteen of them in a few kilobytes of gzip, would
 * fill the memory and hold the thread for seconds.
 */

import type { DescMessage } from "@bufbuild/protobuf";
import { BinaryReader, WireType } from "@bufbuild/protobuf/wire";

/** A span, a log record or a metric costs as much as so many of the attributes, events and points inside. */
const itemWeight = 10;
/** Messages around items: the request, the resource, the scope. In JSON the request is the first brace. */
const levelsToItems = 3;

/** More than a batch of the Collector (8192 items), with thirty attributes each. */
export const maxWeight = 500_000;

/** Of a smaller body the items alone are counted: what is inside of them is not too much in any case. */
const insideFromBytes = 1024 * 1024;

function weightAt(level: number): number {
  return level <= levelsToItems ? itemWeight : 1;
}

/** Whether the protobuf message weighs more than `most`. Says no of what is not one: it cannot be read either. */
export function isHeavyProtobuf(schema: DescMessage, bytes: Uint8Array, most = maxWeight): boolean {
  const reader = new BinaryReader(bytes);
  const deepest = bytes.length < insideFromBytes ? levelsToItems : Number.POSITIVE_INFINITY;
  let weight = 0;
  const walk = (desc: DescMessage, end: number, level: number): void => {
    weight += weightAt(level);
    if (level === deepest) {
      reader.pos = end;
      return;
    }
    const inner = messageFields(desc);
    while (reader.pos < end && weight <= most) {
      const [field, wireType] = reader.tag();
      const next = wireType === WireType.LengthDelimited ? inner.get(field) : undefined;
      if (next) walk(next, reader.uint32() + reader.pos, level + 1);
      else reader.skip(wireType, field);
    }
  };
  try {
    walk(schema, bytes.length, 0);
  } catch {
    return false;
  }
  return weight > most;
}

const fieldsOf = new WeakMap<DescMessage, ReadonlyMap<number, DescMessage>>();

/** By their numbers: those that hold messages. */
function messageFields(desc: DescMessage): ReadonlyMap<number, DescMessage> {
  let fields = fieldsOf.get(desc);
  if (!fields) {
    fields = new Map(desc.fields.flatMap((field) => (field.message ? [[field.number, field.message]] : [])));
    fieldsOf.set(desc, fields);
  }
  return fields;
}

const [quote, backslash, open, close] = [0x22, 0x5c, 0x7b, 0x7d];

/** The same of JSON, whose objects are the messages. */
export function isHeavyJson(bytes: Uint8Array, most = maxWeight): boolean {
  let weight = 0;
  let level = -1;
  let inString = false;
  for (let at = 0; at < bytes.length && weight <= most; at++) {
    const byte = bytes[at];
    if (inString) {
      if (byte === backslash) at++;
      else if (byte === quote) inString = false;
    } else if (byte === quote) inString = true;
    else if (byte === open) {
      level += 1;
      weight += weightAt(level);
    } else if (byte === close) level -= 1;
  }
  return weight > most;
}
