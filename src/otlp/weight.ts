/**
 * How much an OTLP body becomes once it is read, known before it is. Pure. An empty message takes two bytes on the wire
 * and a kilobyte afterwards: without this a body of a megabyte, and sixteen of them in a few kilobytes of gzip, would
 * fill the memory and hold the thread for seconds.
 */

import { isUtf8 } from "node:buffer";
import { type DescField, type DescMessage, ScalarType } from "@bufbuild/protobuf";
import { Fields, Malformed, wireType } from "./protobuf.ts";

/** A span, a log record or a metric costs as much as so many of the attributes, events and points inside. */
const itemWeight = 10;
/** Messages around items: the request, the resource, the scope. In JSON the request is the first brace. */
const levelsToItems = 3;

/** More than a batch of the Collector: 8192 items with thirty attributes each, two messages an attribute. */
export const maxWeight = 600_000;

function weightAt(level: number): number {
  return level <= levelsToItems ? itemWeight : 1;
}

/**
 * Of a protobuf message, all of it: what has been weighed can be read, later and in parts. Gives up beyond `most`. Throws
 * `Malformed` of what is not such a message.
 */
export function weighProtobuf(schema: DescMessage, bytes: Uint8Array, most = maxWeight): number {
  let weight = 0;
  const weigh = (shape: Shape, start: number, end: number, level: number): void => {
    if (level > maxDepth) throw new Malformed("messages are nested too deep");
    weight += weightAt(level);
    const fields = new Fields(bytes, start, end);
    while (weight <= most && fields.next()) {
      const field = shape[fields.number];
      if (field === undefined) continue;
      if (!field.wireTypes.includes(fields.wireType)) throw new Malformed(`${field.name} has the wrong wire type`);
      if (field.message) weigh(field.message(), fields.start, fields.end, level + 1);
      else if (field.isText && !isText(bytes, fields.start, fields.end)) {
        throw new Malformed(`${field.name} is not UTF-8`);
      }
    }
  };
  weigh(shapeOf(schema), 0, bytes.length, 0);
  return weight;
}

/** As deep as the protobuf library reads. */
const maxDepth = 99;

/** What is known of a message's fields, by their numbers. */
type Shape = readonly (FieldShape | undefined)[];

interface FieldShape {
  name: string;
  wireTypes: readonly number[];
  /** Read when it is used: a message may hold its own type. */
  message: (() => Shape) | undefined;
  isText: boolean;
}

const shapes = new WeakMap<DescMessage, Shape>();

function shapeOf(desc: DescMessage): Shape {
  let shape = shapes.get(desc);
  if (!shape) {
    const fields: (FieldShape | undefined)[] = [];
    for (const field of desc.fields) fields[field.number] = toFieldShape(field);
    shape = fields;
    shapes.set(desc, shape);
  }
  return shape;
}

function toFieldShape(field: DescField): FieldShape {
  const { name, message, scalar } = field;
  const own = message ? wireType.lengthDelimited : wireTypeOf(scalar);
  // Numbers of a list may stand together.
  const wireTypes = field.fieldKind === "list" ? [own, wireType.lengthDelimited] : [own];
  return { name, wireTypes, message: message && (() => shapeOf(message)), isText: scalar === ScalarType.STRING };
}

/** undefined: of an enum. */
function wireTypeOf(scalar: ScalarType | undefined): number {
  switch (scalar) {
    case ScalarType.STRING:
    case ScalarType.BYTES:
      return wireType.lengthDelimited;
    case ScalarType.DOUBLE:
    case ScalarType.FIXED64:
    case ScalarType.SFIXED64:
      return wireType.fixed64;
    case ScalarType.FLOAT:
    case ScalarType.FIXED32:
    case ScalarType.SFIXED32:
      return wireType.fixed32;
    default:
      return wireType.varint;
  }
}

/** Nearly all of it is ASCII, which needs no second look. */
function isText(bytes: Uint8Array, start: number, end: number): boolean {
  for (let at = start; at < end; at++) if ((bytes[at] ?? 0) > 0x7f) return isUtf8(bytes.subarray(at, end));
  return true;
}

const [quote, backslash, open, close] = [0x22, 0x5c, 0x7b, 0x7d];

/** The same of JSON, whose objects are the messages. */
export function weighJson(bytes: Uint8Array, most = maxWeight): number {
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
  return weight;
}
