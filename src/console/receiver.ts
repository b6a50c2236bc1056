/**
 * Receives telemetry: OTLP over HTTP (OTLP specification 1.9, "OTLP/HTTP"), protobuf and JSON, gzip or plain.
 * Keeps nothing; what arrives goes to the sink before the sender is answered. Holds at most `maxBodyBytes` of a
 * request, before and after inflating, of so many requests at once, and answers every one, however broken it is.
 */

import { promisify } from "node:util";
import { gunzip } from "node:zlib";
import type { DescMessage } from "@bufbuild/protobuf";
import { ExportLogsServiceRequestSchema } from "../gen/opentelemetry/proto/collector/logs/v1/logs_service_pb.ts";
import { ExportMetricsServiceRequestSchema } from "../gen/opentelemetry/proto/collector/metrics/v1/metrics_service_pb.ts";
import { ExportTraceServiceRequestSchema } from "../gen/opentelemetry/proto/collector/trace/v1/trace_service_pb.ts";
import { readBody } from "../http/body.ts";
import type { HttpHandler } from "../http/listen.ts";
import { createAdmission } from "../limits/concurrency.ts";
import { decodeLogs, type ReceivedLog } from "../otlp/log.ts";
import { decodeMetrics, type ReceivedMetric } from "../otlp/metric.ts";
import { ProtobufWriter } from "../otlp/protobuf.ts";
import { type OtlpEncoding, toProtobuf } from "../otlp/request.ts";
import { decodeSpans, type ReceivedSpan } from "../otlp/span.ts";
import { meanings, retryAfterSeconds, TaskError, toTaskError } from "../words/errors.ts";

/**
 * Where telemetry goes; a signal without a function is checked and dropped. One call for a request: its message in protobuf,
 * well formed (`ExportTraceServiceRequest` and its sisters), which may hold nothing.
 */
export interface ReceiverSink {
  spans?(request: Uint8Array): void;
  logs?(request: Uint8Array): void;
  metrics?(request: Uint8Array): void;
  /** While there is no room for more, senders get 503 with `retry-after`, and their bodies are not read. */
  isFull?(): boolean;
}

const maxBodyBytes = 16 * 1024 * 1024;

/** A sender has one or two on their way; more than a hundred megabytes of them wait outside. */
const maxBodiesAtOnce = 32;

const mediaTypes: Record<OtlpEncoding, string> = { protobuf: "application/x-protobuf", json: "application/json" };

interface Route {
  schema: DescMessage;
  deliver(request: Uint8Array): void;
}

/** Answers 200 once the sink has it; a sink that throws makes a 500, which senders do not repeat. */
export function createReceiver(sink: ReceiverSink): HttpHandler {
  const routes = new Map<string, Route>([
    ["/v1/traces", { schema: ExportTraceServiceRequestSchema, deliver: (request) => sink.spans?.(request) }],
    ["/v1/logs", { schema: ExportLogsServiceRequestSchema, deliver: (request) => sink.logs?.(request) }],
    ["/v1/metrics", { schema: ExportMetricsServiceRequestSchema, deliver: (request) => sink.metrics?.(request) }],
  ]);
  const admit = createAdmission(maxBodiesAtOnce, "bodies being read");
  return async (request) => {
    const { pathname } = new URL(request.url);
    const route = routes.get(pathname);
    if (!route) return refuse(404, `no such path "${pathname}"; telemetry goes to ${[...routes.keys()].join(", ")}`);
    if (request.method !== "POST") return refuse(405, `${request.method} is not allowed, only POST`, { allow: "POST" });
    const encoding = encodingOf(request);
    if (!encoding) return refuse(415, `the content type must be ${Object.values(mediaTypes).join(" or ")}`);
    if (!isReadable(contentCoding(request))) return refuse(415, "the content encoding must be gzip or identity");
    if (sink.isFull?.()) return refuse(503, "there is no room for more now", { "retry-after": "1" }, encoding);
    try {
      route.deliver(toProtobuf(route.schema, { encoding, bytes: await admit(() => readWhole(request)) }));
      return succeed(encoding);
    } catch (thrown) {
      const error = toTaskError(thrown);
      const retryAfter = retryAfterSeconds(error);
      const headers = retryAfter === undefined ? undefined : { "retry-after": String(retryAfter) };
      return refuse(meanings[error.code].httpStatus, error.message, headers, encoding);
    }
  };
}

function encodingOf(request: Request): OtlpEncoding | undefined {
  const type = request.headers.get("content-type")?.split(";")[0]?.trim().toLowerCase();
  if (type === mediaTypes.protobuf) return "protobuf";
  return type === mediaTypes.json ? "json" : undefined;
}

function contentCoding(request: Request): string {
  return request.headers.get("content-encoding")?.trim().toLowerCase() ?? "identity";
}

function isReadable(coding: string): boolean {
  return coding === "gzip" || coding === "identity";
}

async function readWhole(request: Request): Promise<Uint8Array> {
  const bytes = await readBody(request, maxBodyBytes);
  return contentCoding(request) === "gzip" ? inflate(bytes) : bytes;
}

async function inflate(bytes: Uint8Array): Promise<Uint8Array> {
  try {
    return await promisify(gunzip)(bytes, { maxOutputLength: maxBodyBytes });
  } catch (thrown) {
    if (thrown instanceof Error && "code" in thrown && thrown.code === "ERR_BUFFER_TOO_LARGE") {
      throw new TaskError("payload_too_large", `the body is larger than ${maxBodyBytes} bytes`, { cause: thrown });
    }
    throw new TaskError("invalid_argument", "the body is not gzip, as its content encoding says", { cause: thrown });
  }
}

/** The same for the three signals: a response without `partial_success` means that all was taken, and is empty. */
function succeed(encoding: OtlpEncoding): Response {
  return respond(200, encoding, encoding === "json" ? "{}" : new Uint8Array());
}

/** INVALID_ARGUMENT and INTERNAL (`google/rpc/code.proto`); senders may show the code, and act on the HTTP status only. */
const codes = { sender: 3, receiver: 13 } as const;

/**
 * OTLP wants a `google.rpc.Status` as the body of every refusal, in the request's encoding; JSON when that is unknown.
 * The request's body may be unread: the connection ends here (RFC 9112, 9.3), or it would hold up the listener's stop.
 */
function refuse(
  httpStatus: number,
  message: string,
  headers: Record<string, string> = {},
  encoding: OtlpEncoding = "json",
): Response {
  const status = { code: httpStatus < 500 ? codes.sender : codes.receiver, message };
  const body = encoding === "json" ? JSON.stringify(status) : encodeStatus(status);
  return respond(httpStatus, encoding, body, { ...headers, connection: "close" });
}

/** `google/rpc/status.proto`: `int32 code = 1; string message = 2`. Too small to generate code for. */
function encodeStatus({ code, message }: { code: number; message: string }): Uint8Array<ArrayBuffer> {
  const writer = new ProtobufWriter();
  writer.uint(1, code);
  writer.text(2, message);
  return writer.take().toBytes();
}

function respond(
  status: number,
  encoding: OtlpEncoding,
  body: string | Uint8Array<ArrayBuffer>,
  headers: Record<string, string> = {},
): Response {
  return new Response(body, { status, headers: { ...headers, "content-type": mediaTypes[encoding] } });
}

/** One call for a request, never an empty one. */
export interface DecodedSink {
  spans?(spans: ReceivedSpan[]): void;
  logs?(logs: ReceivedLog[]): void;
  metrics?(metrics: ReceivedMetric[]): void;
  isFull?(): boolean;
}

export function toSink(decoded: DecodedSink): ReceiverSink {
  return {
    spans: (bytes) => deliver(decodeSpans({ encoding: "protobuf", bytes }), (spans) => decoded.spans?.(spans)),
    logs: (bytes) => deliver(decodeLogs({ encoding: "protobuf", bytes }), (logs) => decoded.logs?.(logs)),
    metrics: (bytes) => deliver(decodeMetrics({ encoding: "protobuf", bytes }), (more) => decoded.metrics?.(more)),
    ...(decoded.isFull && { isFull: decoded.isFull }),
  };
}

function deliver<Item>(items: Item[], to: (items: Item[]) => void): void {
  if (items.length > 0) to(items);
}
