/** One question to the task service and its answer, by one protocol. */

import type { TaskError } from "../words/errors.ts";
import type { RpcMethod } from "./methods.ts";
import type { CallContext, Wire } from "./wire.ts";

/** What the task service answers: JSON text, which is the record of the HTTP API, and metadata beside it. */
export interface RpcAnswer {
  json: string;
  metadata(name: string): string | undefined;
}

export interface Transport {
  wire: Wire;
  /** The answer, which may be an error of the task service's own; rejects when the task service gives none. */
  exchange(exchange: Exchange): Promise<RpcAnswer | TaskError>;
  /** A short question that shows whether a task service is there. Rejects when it gives no answer in time. */
  probe(timeoutMs: number): Promise<void>;
  close(): void;
}

export interface Exchange {
  method: RpcMethod;
  /** In errors; that of the calls which it carries. */
  name: string;
  /** JSON text. */
  request: string;
  context: CallContext;
  timeoutMs: number;
  isHeld: boolean;
  signal?: AbortSignal | undefined;
}
