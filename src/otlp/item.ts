/**
 * The spans or log records of an export request, where they stand in its bytes: what is asked for is read, and nothing
 * else. Pure. Requests of both signals are built alike.
 */

import { fromBinary } from "@bufbuild/protobuf";
import { ResourceSchema } from "../gen/opentelemetry/proto/resource/v1/resource_pb.ts";
import { Fields, lastField, type Range } from "./protobuf-reader.ts";
import { type Origin, toOrigin } from "./value.ts";

/** trace_service.proto and trace.proto, logs_service.proto and logs.proto: the same numbers. */
const number = { ofSender: 1, resource: 1, ofScope: 2, item: 2 } as const;

/** Who sent the items below one resource: read when it is asked for, and once. */
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
    if (senders.number !== number.ofSender) continue;
    const sender = new Sender(request);
    for (const scopes = new Fields(request, senders.start, senders.end); scopes.next(); ) {
      if (scopes.number === number.resource) sender.resource = { start: scopes.start, end: scopes.end };
      if (scopes.number !== number.ofScope) continue;
      for (const fields = new Fields(request, scopes.start, scopes.end); fields.next(); ) {
        if (fields.number === number.item) items.push(new OtlpItem(request, fields, sender));
      }
    }
  }
  return items;
}
