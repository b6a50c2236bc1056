/**
 * What the worker and its handler threads say to each other: plain values only. They cross as JSON, and beside it, as they
 * are, the texts that are JSON already: payloads and results. None of their characters is escaped or parsed on the way.
 */

import type { LogLevel } from "../../settings/parsers.ts";
import type { Carrier } from "../../telemetry/context/propagation.ts";
import type { PlainSpan } from "../../telemetry/spans/plain-span.ts";
import type { Failure } from "../../words/errors.ts";
import type { HandledType } from "../handlers/loaded-handler.ts";

/** One attempt to run. Its payload goes beside it: what a run leaves behind must not keep that in memory. */
export interface Run {
  /** Names the run between the worker and its threads. */
  number: number;
  taskId: string;
  type: string;
  attempt: number;
  correlationId: string;
  metadata: Record<string, string>;
  /** The context of the process span. */
  carrier: Carrier;
  /** The id that the span `run …` gets. */
  spanId: string;
}

/** Why an attempt is signalled. `timed_out`: its deadline; `lease_lost`: another worker may run it; `canceled`: by its user; `aborted`: the worker stops. */
export type CancelReason = "timed_out" | "lease_lost" | "canceled" | "aborted";

/** `crashed`: an error of the attempt was caught by no code. */
export type SignalReason = CancelReason | "crashed";

export type ToHandlerThread =
  | { kind: "run"; run: Run /** JSON text. */; payload: string }
  | { kind: "cancel"; number: number; reason: SignalReason }
  /** Answered at once with `pong`, by a thread that yields. */
  | { kind: "ping" };

/** How a handler ended; the worker turns it into an outcome. */
export type RunEnd =
  | { kind: "returned" /** JSON text. */; result: string }
  | { kind: "threw"; error: Failure; fatal: boolean; retryAfterMs?: number };

/** Which attempt a line is about. It may have ended. */
export type LineTask = Pick<Run, "taskId" | "type" | "attempt" | "correlationId">;

export interface HandlerLogLine {
  level: LogLevel;
  msg: string;
  fields: Record<string, unknown> | undefined;
  /** undefined: written outside of every attempt, such as while a file is loaded. */
  task: LineTask | undefined;
  span: { traceId: string; spanId: string; traceFlags: number } | undefined;
}

/** What comes of runs. */
export type FromRunner =
  | { kind: "ended"; number: number; end: RunEnd; spans: PlainSpan[] }
  | { kind: "pong" }
  /** From 0 to 1. */
  | { kind: "progress"; number: number; share: number }
  | { kind: "span"; span: PlainSpan }
  | { kind: "log"; line: HandlerLogLine };

export type FromHandlerThread =
  | { kind: "loaded"; types: HandledType[] }
  | { kind: "refused"; problems: string[] }
  /** This file of the handlers' folder is loaded next. */
  | { kind: "loading"; file: string }
  /** An error of this run was caught by no code. The run has not ended yet. */
  | { kind: "crashed"; number: number; error: Failure }
  | FromRunner;

/** The texts are separate strings: one that is used for long keeps no other in memory. */
export type Packet = [json: string, ...texts: string[]];

/** Several messages as one packet, with the payloads in the order of their runs. */
export function packMessages(messages: readonly ToHandlerThread[]): Packet {
  const packet: Packet = [""];
  let json = "";
  for (const message of messages) {
    json += json === "" ? "[" : ",";
    if (message.kind === "run") {
      json += `{"kind":"run","run":${JSON.stringify(message.run)}}`;
      packet.push(message.payload);
    } else json += JSON.stringify(message);
  }
  packet[0] = `${json}]`;
  return packet;
}

export function unpackMessages(packet: Packet): ToHandlerThread[] {
  const messages: ToHandlerThread[] = JSON.parse(packet[0]);
  let last = 0;
  for (const message of messages) if (message.kind === "run") message.payload = packet[++last] ?? "";
  return messages;
}

/** One message of a handler thread, with the result of a run that has one. */
export function packAnswer(message: FromHandlerThread): Packet {
  if (message.kind !== "ended" || message.end.kind !== "returned") return [JSON.stringify(message)];
  const { number, spans, end } = message;
  return [`{"kind":"ended","number":${number},"spans":${JSON.stringify(spans)},"end":{"kind":"returned"}}`, end.result];
}

/** undefined: a handler posted it. */
export function unpackAnswer(posted: unknown): FromHandlerThread | undefined {
  if (!Array.isArray(posted)) return undefined;
  const [json, result]: unknown[] = posted;
  if (typeof json !== "string" || !json.startsWith('{"kind":"')) return undefined;
  const message: FromHandlerThread = JSON.parse(json);
  if (message.kind === "ended" && message.end.kind === "returned" && typeof result === "string") {
    message.end.result = result;
  }
  return message;
}
