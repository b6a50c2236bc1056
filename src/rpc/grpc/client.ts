/**
 * Calls by gRPC: streams of one HTTP/2 connection, which the library opens, and opens again. So any number of held calls
 * takes no place of others. Messages are JSON, as with Connect: see grpc/server.ts.
 */

import {
  type CallOptions,
  type ChannelOptions,
  Client,
  credentials,
  Metadata,
  type ServiceError,
  status,
} from "@grpc/grpc-js";
import { TaskError } from "../../words/errors.ts";
import { fullMethod } from "../methods.ts";
import type { RpcAnswer, Transport } from "../transport.ts";
import { toMetadata } from "../wire.ts";
import { healthCheckPath } from "./health.ts";
import { asBuffer, fromErrorStatus, grpcWire } from "./wire.ts";

const channelOptions: ChannelOptions = {
  // When to ask a task service that is away is the breaker's to say: the connection is tried about as often.
  "grpc.initial_reconnect_backoff_ms": 100,
  "grpc.max_reconnect_backoff_ms": 1000,
  // As the Connect client, which knows none: a thousand attempts of a task may be in an answer.
  "grpc.max_receive_message_length": -1,
  // One channel for each client: it ends with that, not with the last client of its address.
  "grpc.use_local_subchannel_pool": 1,
  "grpc.enable_channelz": 0,
  "grpc.enable_retries": 0,
};

export function createGrpcTransport(url: string): Transport {
  const { protocol, host } = new URL(url);
  const isSecure = protocol === "https:";
  const target = isSecure && !/:\d+$/.test(host) ? `${host}:443` : host;
  const channel = isSecure ? credentials.createSsl() : credentials.createInsecure();
  const client = new Client(target, channel, channelOptions);

  const ask = (
    path: string,
    message: Uint8Array,
    metadata: Metadata,
    wait: { timeoutMs: number; signal?: AbortSignal | undefined },
  ): Promise<RpcAnswer> => {
    const options: CallOptions = { deadline: Date.now() + wait.timeoutMs };
    const { signal } = wait;
    return new Promise<RpcAnswer>((resolve, reject) => {
      signal?.throwIfAborted();
      let received = new Metadata();
      const call = client.makeUnaryRequest(path, asBuffer, asBuffer, message, metadata, options, (error, answer) => {
        if (error || !answer) reject(error ?? new Error(`${path} was answered with nothing`));
        else resolve({ json: answer.toString(), metadata: (name) => received.get(name)[0]?.toString() });
        signal?.removeEventListener("abort", giveUp);
      });
      call.on("metadata", (metadata: Metadata) => {
        received = metadata;
      });
      const giveUp = (): void => {
        call.cancel();
        reject(signal?.reason);
      };
      signal?.addEventListener("abort", giveUp);
    });
  };

  return {
    wire: grpcWire,
    close: () => client.close(),

    exchange: async ({ method, request, context, timeoutMs, signal }) => {
      const sent = new Metadata();
      for (const [name, value] of Object.entries(toMetadata(context))) sent.set(name, value);
      try {
        return await ask(`/${fullMethod(method)}`, Buffer.from(request), sent, { timeoutMs, signal });
      } catch (error) {
        return errorOf(error);
      }
    },

    /** Whatever a task service says to that shows that it is there. */
    probe: async (timeoutMs) => {
      await ask(healthCheckPath, new Uint8Array(), new Metadata(), { timeoutMs }).catch((error: ServiceError) => {
        if (isAway(error)) throw toOurs(error);
      });
    },
  };
}

/** The task service's own error is an answer like others. */
function errorOf(error: unknown): TaskError {
  if (!isServiceError(error)) throw error;
  const own = fromErrorStatus(error);
  if (!own) throw toOurs(error);
  return own;
}

function isServiceError(error: unknown): error is ServiceError {
  return error instanceof Error && "metadata" in error && error.metadata instanceof Metadata;
}

function isAway({ code }: ServiceError): boolean {
  return code === status.UNAVAILABLE || code === status.DEADLINE_EXCEEDED || code === status.UNKNOWN;
}

/** What the library, or something in between, says in place of an answer. */
function toOurs(error: ServiceError): Error {
  if (error.code === status.DEADLINE_EXCEEDED) return new DOMException(error.details, "TimeoutError");
  if (error.code === status.UNAVAILABLE) return error;
  return new TaskError("unavailable", `the task service answered ${status[error.code]}`, { cause: error });
}
