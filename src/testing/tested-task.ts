/** What `throughline/testing` gives. Types only: the folder of `throughline init` has this file as it is. */

import type { TaskHandler } from "../worker/handlers/handler.ts";

/** The task that the handler gets. What is left out is made up. */
export interface TestOptions {
  /** As a caller would send it, before the handler's schema. Default: null. */
  payload?: unknown;
  /** Default: the handler's own, else `test`. */
  type?: string;
  /** UUIDv7. */
  id?: string;
  correlationId?: string;
  metadata?: Record<string, string>;
  /** The first attempt's number; default: 1. */
  attempt?: number;
  /** How many attempts there are before the task is dead; none waits for its back-off. Default: 1. */
  attempts?: number;
  /** Deadline of an attempt: `30s`. Default: the handler's own, else `60s`. */
  timeout?: string;
  /** Cancels the task when it aborts. */
  signal?: AbortSignal;
  /** Answers in place of the network: gets what `ctx.fetch` would send, with the trace's headers. */
  fetch?: (request: Request) => Response | Promise<Response>;
}

export interface TestedTask {
  /** `succeeded`, `dead` (fatal, or no attempt left) or `canceled`. */
  status: "succeeded" | "dead" | "canceled";
  /** How the last attempt ended. */
  outcome: "succeeded" | "failed" | "timed_out" | "canceled";
  /** What the handler returned, as JSON has it; undefined unless it succeeded. */
  result: unknown;
  /** Of the last attempt, unless it succeeded. */
  error: TestedError | undefined;
  attempts: TestedAttempt[];
  /** Of all attempts, and so are the next two. */
  logs: TestedLog[];
  /** From 0 to 1. */
  progress: number[];
  /** One tree for each attempt. */
  spans: TestedSpan[];
}

export interface TestedAttempt {
  /** From 1. */
  number: number;
  outcome: TestedTask["outcome"];
  result: unknown;
  error: TestedError | undefined;
  /** No further attempt can help. */
  fatal: boolean;
  /** Milliseconds to the next attempt that `ctx.retryAfter` asked for. */
  retryAfterMs: number | undefined;
}

interface TestedError {
  /** A class's name or an error's code; `invalid_payload` when the schema refused. */
  type: string;
  message: string;
  stack?: string;
  causes?: string[];
}

interface TestedLog {
  level: "trace" | "debug" | "info" | "warn" | "error";
  msg: string;
  /** As they are written: secrets are masked. */
  fields: Record<string, unknown>;
}

export interface TestedSpan {
  name: string;
  kind: "internal" | "server" | "client" | "producer" | "consumer";
  attributes: Record<string, unknown>;
  events: { name: string; attributes: Record<string, unknown> }[];
  status: { code: "unset" | "ok" | "error"; message?: string };
  children: TestedSpan[];
}

/** Runs a handler's attempts in this process, by the code that runs them in production. */
export type TestTask = (handler: TaskHandler, options?: TestOptions) => Promise<TestedTask>;

/** Spans as lines of text, each below its parent. */
export type FormatSpans = (spans: readonly TestedSpan[]) => string;
