/**
 * What a handler author sees. Types only: `import type { TaskHandler } from "throughline"` leaves nothing behind at run
 * time.
 */

import type { Span, Tracer } from "@opentelemetry/api";
import type { StandardSchemaV1 } from "@standard-schema/spec";

/** One attempt of a task, as its handler gets it. */
export interface HandlerTask<Payload = unknown> {
  /** UUIDv7; the same for every attempt: use it to make side effects idempotent. */
  readonly id: string;
  readonly type: string;
  /** As its handler's schema gives it, where there is one. */
  readonly payload: Payload;
  /**
   * The payload as JSON text, with the characters of its caller: `payload` has numbers as JavaScript holds them, such
   * as 1970670598291982300 for 1970670598291982290.
   */
  readonly payloadText: string;
  /** From 1. */
  readonly attempt: number;
  readonly correlationId: string;
  readonly metadata: Readonly<Record<string, string>>;
}

/**
 * Each call is one line. The first text is its message, values behind it fill `%s`, `%d` and `%j`; an error, wherever it
 * stands, is the field `error`; what an object has are fields; all else is the field `args`. So all of these do:
 * `log.info("paid", { order: 7 })`, `log.info({ order: 7 }, "paid")`, `log.error("declined", error)`, `log.error(error)`.
 * Never throws.
 */
export interface HandlerLog {
  trace(message: unknown, ...values: unknown[]): void;
  debug(message: unknown, ...values: unknown[]): void;
  info(message: unknown, ...values: unknown[]): void;
  warn(message: unknown, ...values: unknown[]): void;
  error(message: unknown, ...values: unknown[]): void;
}

export interface HandlerContext {
  /** Aborts at the deadline, at a cancel, when the lease is lost, or when the worker has to stop. */
  readonly signal: AbortSignal;
  /** Lines that carry the task's ids and trace. */
  readonly log: HandlerLog;
  /** The span `run …` of this attempt. */
  readonly span: Span;
  readonly tracer: Tracer;
  /** `fetch`, and whatever that takes, with a span of its own, which carries the trace on. */
  readonly fetch: typeof globalThis.fetch;
  /** Tells how far the work is, from 0 to 1: shown as the task's `progress`, and in its events. Call it as often as you like. */
  progress(share: number): Promise<void>;
  /** Throw what this gives: no further attempt, straight to the dead letters. */
  fatal(message: string, options?: { cause?: unknown }): Error;
  /**
   * Throw what this gives: the next attempt after `delay`. That is a duration (`30s`), a number of milliseconds, a `Date`, or
   * the text of a `Retry-After` header (`120` is seconds there), of up to 7 days. `null`, a delay of 0, and what cannot be
   * read: after the back-off.
   */
  retryAfter(delay: string | number | Date | null | undefined, message?: string, options?: { cause?: unknown }): Error;
}

/**
 * The default export of a handler file. `Payload` is a type, or the type of a schema by any library that speaks Standard
 * Schema (https://standardschema.dev: zod, valibot, arktype): `satisfies TaskHandler<typeof email>`.
 */
// biome-ignore lint/suspicious/noExplicitAny: a handler says itself what its payload is; `unknown` would refuse that.
export type TaskHandler<Payload = any> = PayloadCheck<Payload> & Handling<PayloadOf<Payload>>;

/** What `task.payload` is: what the schema gives, or the type itself. */
export type PayloadOf<Payload> = IsSchema<Payload> extends true ? OutputOf<Payload> : Payload;

/** A handler for the type of a schema has that schema. One for another type may have one that gives this type. */
export type PayloadCheck<Payload> =
  IsSchema<Payload> extends true
    ? { readonly payload: Payload }
    : { readonly payload?: StandardSchemaV1<unknown, Payload> };

/** `any` is no schema, though it could be one. */
type IsSchema<Payload> = 0 extends 1 & Payload ? false : [Payload] extends [StandardSchemaV1] ? true : false;

type OutputOf<Schema> = Schema extends StandardSchemaV1 ? StandardSchemaV1.InferOutput<Schema> : never;

/** What a handler is besides its payload's schema. */
export interface Handling<Payload> {
  /** Default: the file's name without its ending. */
  readonly type?: string;
  readonly maxAttempts?: number;
  /** Deadline of one attempt: `30s`. */
  readonly timeout?: string;
  /** `exclusive`: no other task beside it on its thread. */
  readonly isolation?: "shared" | "exclusive";
  /** Where its attempts belong; default: what the deployment says (`--trace-policy`). */
  readonly tracePolicy?: "auto" | "child" | "link";
  /** What it returns is the task's result, as JSON. Anything thrown is a failure that is retried. */
  run(task: HandlerTask<Payload>, ctx: HandlerContext): unknown;
}
