/**
 * How an export ended, and what was lost with it. The SDK takes any status from 200 to 299 for a success: a partial
 * success, of which some items were rejected (OTLP 1.9, "Partial Success"), and the page of a proxy, whose body is no
 * answer at all. It counts each batch as a whole, before it reads the answer, and a failure by the error's name, which
 * for OTLP over HTTP is `Error` or `OTLPExporterError` in every case.
 */

import { fromBinary } from "@bufbuild/protobuf";
import type { Attributes, Counter, Meter, MeterProvider } from "@opentelemetry/api";
import { type ExportResult, ExportResultCode } from "@opentelemetry/core";
import { ExportTraceServiceResponseSchema } from "../../gen/opentelemetry/proto/collector/trace/v1/trace_service_pb.ts";
import { key } from "../names.ts";

/** `rejected` 0: all items were taken, and the collector has a warning. */
interface PartialSuccess {
  rejected: number;
  message: string;
}

export interface AnsweredResult extends ExportResult {
  partial?: PartialSuccess;
}

const maxMessageLength = 500;

type Answer = { kind: "taken" } | { kind: "unreadable"; text: string } | ({ kind: "partial" } & PartialSuccess);

/** The partial success of any signal, as JSON has it. */
interface JsonResponse {
  partialSuccess?: {
    errorMessage?: unknown;
    rejectedSpans?: unknown;
    rejectedLogRecords?: unknown;
    rejectedDataPoints?: unknown;
  } | null;
}

/**
 * Of one exporter. The SDK reads an answer and gives the result of its export in the same turn, so the answer that was
 * read last is the one of the result that comes next.
 */
export class ExportAnswers {
  #last: Answer = { kind: "taken" };

  /** A serializer that remembers what it has read. The SDK gets an empty response: it would log the rest. */
  remember<Items>(serializeRequest: (items: Items) => Uint8Array) {
    return {
      serializeRequest,
      deserializeResponse: (bytes: Uint8Array): object => {
        this.#last = readAnswer(bytes);
        return {};
      },
    };
  }

  /** `result` as the answer makes it. Of `count` items: as a failure when none of them was taken. */
  judge(result: ExportResult, count: number): AnsweredResult {
    const answer = this.#last;
    this.#last = { kind: "taken" };
    if (result.code !== ExportResultCode.SUCCESS || answer.kind === "taken") return result;
    if (answer.kind === "unreadable") {
      return failure("invalid_response", `the collector's answer is not an OTLP response: ${answer.text}`);
    }
    const partial = { rejected: Math.min(answer.rejected, count), message: answer.message };
    if (count === 0 || partial.rejected < count) return { ...result, partial };
    return failure("rejected", `the collector rejected all ${count} items: ${answer.message}`);
  }
}

/** The code becomes `error.type`. */
function failure(code: string, message: string): ExportResult {
  return { code: ExportResultCode.FAILED, error: Object.assign(new Error(message), { code }) };
}

/** The tag of `partial_success`, the only field of a response. */
const partialSuccessTag = 0x0a;

function readAnswer(bytes: Uint8Array): Answer {
  if (bytes.length === 0) return { kind: "taken" };
  const text = new TextDecoder().decode(bytes.subarray(0, maxMessageLength)).trim();
  // A page after an empty line begins with that tag, too.
  const isText = bytes[0] !== partialSuccessTag || /^<[!?a-z]/i.test(text);
  try {
    if (!isText) return readProtobuf(bytes);
    // Some services answer in JSON even to protobuf.
    if (text.startsWith("{")) return readJson(bytes);
  } catch {
    // Neither: the error carries the text.
  }
  return { kind: "unreadable", text };
}

/** The responses of all signals have the same fields in protobuf. */
function readProtobuf(bytes: Uint8Array): Answer {
  const { partialSuccess } = fromBinary(ExportTraceServiceResponseSchema, bytes);
  return toAnswer(Number(partialSuccess?.rejectedSpans ?? 0), partialSuccess?.errorMessage ?? "");
}

function readJson(bytes: Uint8Array): Answer {
  const { partialSuccess }: JsonResponse = JSON.parse(new TextDecoder().decode(bytes));
  const { rejectedSpans, rejectedLogRecords, rejectedDataPoints, errorMessage } = partialSuccess ?? {};
  return toAnswer(Number(rejectedSpans ?? rejectedLogRecords ?? rejectedDataPoints ?? 0), String(errorMessage ?? ""));
}

function toAnswer(rejected: number, text: string): Answer {
  const message = text.slice(0, maxMessageLength).toWellFormed();
  if (rejected > 0) return { kind: "partial", rejected, message };
  return message === "" ? { kind: "taken" } : { kind: "partial", rejected: 0, message };
}

/** Of spans, or of log records. */
export interface Exporter<T> {
  export(items: T[], done: (result: ExportResult) => void): void;
  forceFlush(): Promise<void>;
  shutdown(): Promise<void>;
}

/**
 * The errors of an exporter by their reason: the status, such as `400`, the connection's error, such as `ECONNREFUSED`, or
 * a word. What an exporter throws counts as well.
 */
export function withReasons<T>(exporter: Exporter<T>): Exporter<T> {
  return {
    export: (items, done) => {
      try {
        exporter.export(items, (result) => done(result.error ? { ...result, error: named(result.error) } : result));
      } catch (error) {
        done({ code: ExportResultCode.FAILED, error: named(error) });
      }
    },
    forceFlush: () => exporter.forceFlush(),
    shutdown: () => exporter.shutdown(),
  };
}

function named(thrown: unknown): Error {
  const error = thrown instanceof Error ? thrown : new Error(String(thrown));
  const named = new Error(error.message, { cause: error });
  named.name = reasonOf(error);
  return named;
}

/** The errors of the SDK's exporters that have no code, by their whole message. */
const reasonByMessage = new Map([
  ["Request timed out", "timeout"],
  // 429, 502, 503 or 504, until there was no more time: the exporter does not say which.
  ["Export failed with retryable status", "retryable_status"],
  ["Concurrent export limit reached", "concurrency_limit"],
]);

/** Of low cardinality: an HTTP status, a code of the runtime, or one of a few words. */
function reasonOf(error: Error): string {
  const code = "code" in error ? error.code : undefined;
  if (typeof code === "number" || (typeof code === "string" && code !== "")) return String(code);
  return reasonByMessage.get(error.message) ?? error.name;
}

/** A batch that the SDK counts as a success. */
interface Counted {
  counter: Counter;
  value: number;
  attributes: Attributes;
}

/**
 * The SDK's counters of exported items, for a batch of which the collector took only a part: the rejected items get an
 * `error.type` of their own (semantic conventions, "OpenTelemetry SDK metrics": `rejected`). Of one exporter and the
 * processor before it, which get `meters` in place of the provider's own.
 */
export class PartialCounts {
  readonly meters: MeterProvider;
  readonly #counted: Counted[] = [];

  constructor(provider: MeterProvider) {
    this.meters = {
      getMeter: (name, version, options) => {
        const meter = provider.getMeter(name, version, options);
        // Every other instrument is the meter's own.
        const split: Meter = Object.create(meter, {
          createCounter: {
            value: (...of: Parameters<Meter["createCounter"]>) => this.#split(meter.createCounter(...of)),
          },
        });
        return split;
      },
    };
  }

  #split(counter: Counter): Counter {
    return {
      add: (value, attributes = {}, context) => {
        if (key.errorType in attributes) counter.add(value, attributes, context);
        else this.#counted.push({ counter, value, attributes });
      },
    };
  }

  /** Gives a batch its result by `done`, and counts its items by it. */
  finish({ partial, error }: AnsweredResult, done: () => void): void {
    done();
    for (const { counter, value, attributes } of this.#counted.splice(0)) {
      const failed = error ? value : (partial?.rejected ?? 0);
      if (value > failed) counter.add(value - failed, attributes);
      if (failed > 0) counter.add(failed, { ...attributes, [key.errorType]: error ? reasonOf(error) : "rejected" });
    }
  }
}
