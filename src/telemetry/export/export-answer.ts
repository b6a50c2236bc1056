/**
 * What a collector answered to an export. The SDK takes any status from 200 to 299 for a success: a partial success, of
 * which some items were rejected (OTLP 1.9, "Partial Success"), and the page of a proxy, whose body is no answer at all.
 */

import { fromBinary } from "@bufbuild/protobuf";
import { type ExportResult, ExportResultCode } from "@opentelemetry/core";
import type { ISerializer } from "@opentelemetry/otlp-transformer";
import { ExportTraceServiceResponseSchema } from "../../gen/opentelemetry/proto/collector/trace/v1/trace_service_pb.ts";

/** `rejected` 0: all items were taken, and the collector has a warning. */
export interface PartialSuccess {
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
  remember<Items>(serializeRequest: (items: Items) => Uint8Array | undefined): ISerializer<Items, object> {
    return {
      serializeRequest,
      deserializeResponse: (bytes) => {
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
    // Some services answer in JSON whatever they were sent.
    if (text.startsWith("{")) return readJson(bytes);
  } catch {
    // Neither: the text says what it is.
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
