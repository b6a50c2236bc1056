/** OTLP's attributes (opentelemetry-proto, common/v1/common.proto) from the values of OpenTelemetry's API. */

import type { ProtobufWriter } from "./protobuf-writer.ts";

const keyValue = { key: 1, value: 2 } as const;
const anyValue = { string: 1, bool: 2, int: 3, double: 4, array: 5, map: 6, bytes: 7 } as const;
const list = { values: 1 } as const;

/** Each as a `KeyValue` in the repeated field `field`. */
export function writeAttributes(
  to: ProtobufWriter,
  field: number,
  attributes: Readonly<Record<string, unknown>>,
): void {
  for (const name in attributes) {
    const value = attributes[name];
    const start = to.open(field);
    to.text(keyValue.key, name);
    writeValue(to, keyValue.value, value);
    to.close(start);
  }
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
