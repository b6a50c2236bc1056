/** Export requests as a sender makes them, of spans and log records as they are read. */

import type { DescMessage } from "@bufbuild/protobuf";
import { ExportLogsServiceRequestSchema } from "../../src/gen/opentelemetry/proto/collector/logs/v1/logs_service_pb.ts";
import { ExportTraceServiceRequestSchema } from "../../src/gen/opentelemetry/proto/collector/trace/v1/trace_service_pb.ts";
import { type OtlpJson, toOtlpJson } from "../../src/otlp/json.ts";
import type { ReceivedLog } from "../../src/otlp/log.ts";
import { toProtobuf } from "../../src/otlp/request.ts";
import type { ReceivedSpan } from "../../src/otlp/span.ts";

/** In protobuf. */
export function toTraceRequest(spans: readonly ReceivedSpan[]): Uint8Array {
  return encode(ExportTraceServiceRequestSchema, toOtlpJson(spans, []));
}

export function toLogsRequest(logs: readonly ReceivedLog[]): Uint8Array {
  return encode(ExportLogsServiceRequestSchema, toOtlpJson([], logs));
}

function encode(schema: DescMessage, items: OtlpJson): Uint8Array {
  return toProtobuf(schema, { encoding: "json", bytes: new TextEncoder().encode(JSON.stringify(items)) });
}
