/** A span in the bytes that it came in: each of its properties is read when it is asked for. Pure. */

import { fromBinary } from "@bufbuild/protobuf";
import { AnyValueSchema } from "../gen/opentelemetry/proto/common/v1/common_pb.ts";
import { Status_StatusCode } from "../gen/opentelemetry/proto/trace/v1/trace_pb.ts";
import { lastField, type Range } from "../otlp/protobuf.ts";
import type { OtlpItem } from "../otlp/request.ts";
import { type AttributeValue, toMs, toPlainValue } from "../otlp/values.ts";
import { ownKey } from "../telemetry/names.ts";
import type { SpanHead } from "./span-head.ts";
import { taskIdOf } from "./task-trace.ts";

/** trace.proto, `Span`, and fields of `Status` and of common.proto's `AnyValue`. */
const number = { traceId: 1, spanId: 2, name: 5, startTime: 7, endTime: 8, attributes: 9, status: 15 } as const;
const codeOfStatus = 3;
const textOfValue = 1;

const texts = new TextDecoder();
const taskIdKey = new TextEncoder().encode(ownKey.taskId);

export class HeldSpan implements SpanHead {
  readonly item: OtlpItem;

  constructor(item: OtlpItem) {
    this.item = item;
  }

  /** Where its ids are; nothing where there is none. */
  get traceIdAt(): Range | undefined {
    return this.item.field(number.traceId);
  }

  get spanIdAt(): Range | undefined {
    return this.item.field(number.spanId);
  }

  get traceId(): string {
    return this.#bytes(this.traceIdAt).toHex();
  }

  get service(): string {
    return this.item.origin.service;
  }

  get name(): string {
    return texts.decode(this.#bytes(this.item.field(number.name)));
  }

  get startMs(): number {
    return this.#timeMs(number.startTime);
  }

  get endMs(): number {
    return this.#timeMs(number.endTime);
  }

  get isError(): boolean {
    const status = this.item.field(number.status);
    const code = status && lastField(this.item.request, status, codeOfStatus);
    return code !== undefined && this.item.request[code.start] === Status_StatusCode.ERROR;
  }

  get taskId(): string | undefined {
    const at = this.taskIdAt;
    return at && taskIdOf({ [ownKey.taskId]: texts.decode(this.#bytes(at)) });
  }

  /** Its text. */
  get taskIdAt(): Range | undefined {
    const value = this.item.value(number.attributes, taskIdKey);
    return value && lastField(this.item.request, value, textOfValue);
  }

  attribute(key: string): AttributeValue | undefined {
    const at = this.item.value(number.attributes, new TextEncoder().encode(key));
    return at && this.#value(at);
  }

  #value(at: Range): AttributeValue {
    return toPlainValue(fromBinary(AnyValueSchema, this.#bytes(at)));
  }

  #timeMs(fieldNumber: number): number {
    const at = this.item.field(fieldNumber);
    if (!at) return 0;
    const { buffer, byteOffset } = this.item.request;
    return toMs(new DataView(buffer, byteOffset).getBigUint64(at.start, true));
  }

  #bytes({ start, end }: Range = { start: 0, end: 0 }): Uint8Array {
    return this.item.request.subarray(start, end);
  }
}
