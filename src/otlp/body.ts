/**
 * The body of an OTLP request, in both encodings of the OTLP specification 1.9. Pure. A body that cannot be read is a
 * `TaskError` with `invalid_argument`; fields that are not known are ignored, so that a newer sender is not refused.
 */

import {
  type DescMessage,
  fromBinary,
  fromJson,
  type JsonValue,
  type MessageShape,
  toBinary,
} from "@bufbuild/protobuf";
import { TaskError } from "../words/errors.ts";
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
