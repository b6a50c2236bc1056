/**
 * The gRPC server: the task service by HTTP/2 without TLS, with health and reflection. The library keeps deadlines,
 * cancellation, compression and connections; a call is answered as by any other protocol.
 */

import {
  Server,
  ServerCredentials,
  type ServerOptions,
  type ServerUnaryCall,
  type sendUnaryData,
  type UntypedServiceImplementation,
} from "@grpc/grpc-js";
import { TaskError } from "../errors.ts";
import { TaskService } from "../gen/tasks_pb.ts";
import { type Address, closeWithin, type Listener, urlOf } from "../listen.ts";
import { type AnswerCall, largestMessageBytes, maxBytesOf, maxCallsInProgress } from "./call.ts";
import { toErrorStatus } from "./grpc.ts";
import { createHealthService } from "./grpc-health.ts";
import { createReflectionServices } from "./grpc-reflection.ts";
import { definitionOf } from "./grpc-service.ts";
import { grpcWire } from "./grpc-status.ts";
import { fromBinaryMessage, type RpcMethod, rpcSchemas, toBinaryMessage } from "./methods.ts";

const serverOptions: ServerOptions = {
  // Above ours, which answers with a span; the library's own refusal comes before there is a call.
  "grpc.max_receive_message_length": 2 * largestMessageBytes,
  // A gateway has all its calls on one connection.
  "grpc.max_concurrent_streams": maxCallsInProgress,
  // Without its book-keeping the library forgets the connections that it is to close by force.
  "grpc.enable_channelz": 1,
};

type UnaryHandler = (call: ServerUnaryCall<Buffer, Uint8Array>, callback: sendUnaryData<Uint8Array>) => void;

/** Opens `address`; rejects with `TaskError` `unavailable` that names it when it is taken or not ours. */
export async function listenGrpc(address: Address, answerCall: AnswerCall): Promise<Listener> {
  const server = new Server(serverOptions);
  const draining = new AbortController();
  const bound = { ...address };
  const methods = Object.keys(rpcSchemas).map((name) => [name, toHandler(name as RpcMethod, bound, answerCall)]);
  const tasks: UntypedServiceImplementation = Object.fromEntries(methods);
  server.addService(definitionOf(TaskService), tasks);
  for (const { definition, implementation } of [createHealthService(draining.signal), ...createReflectionServices()]) {
    server.addService(definition, implementation);
  }
  bound.port = await bind(server, address);
  let closed: Promise<void> | undefined;
  return {
    url: urlOf(bound),
    ...bound,
    stop: (graceMs = 1000) => {
      draining.abort();
      // Asked a second time, the library would say at once that it is done.
      closed ??= new Promise((resolve) => server.tryShutdown(() => resolve()));
      const closing = closed;
      return closeWithin(
        graceMs,
        () => closing,
        () => server.forceShutdown(),
      );
    },
  };
}

function bind(server: Server, address: Address): Promise<number> {
  const target = urlOf(address).replace("http://", "");
  return new Promise((resolve, reject) => {
    server.bindAsync(target, ServerCredentials.createInsecure(), (cause, port) => {
      if (!cause) return resolve(port);
      reject(new TaskError("unavailable", `could not listen on ${target}: ${cause.message}`, { cause }));
    });
  });
}

function toHandler(method: RpcMethod, address: Address, answerCall: AnswerCall): UnaryHandler {
  const schemas = rpcSchemas[method];
  return (call, callback) => {
    void answerCall({
      method,
      wire: grpcWire,
      address,
      metadata: (name) => {
        const values = call.metadata.get(name);
        // As in HTTP, several of one name are one list.
        return values.length === 0 ? undefined : values.join(",");
      },
      signal: signalOf(call),
      read: () => {
        if (call.request.byteLength > maxBytesOf(method)) {
          throw new TaskError("payload_too_large", `the message is larger than ${maxBytesOf(method)} bytes`);
        }
        return fromBinaryMessage(schemas.request, call.request);
      },
      accept: (message) => {
        const answer = toBinaryMessage(schemas.response, message);
        return (): void => callback(null, answer);
      },
      refuse: (error) => (): void => callback(toErrorStatus(error)),
    }).then((answer) => answer());
  };
}

/** A caller's deadline is over this much before ours, or less: by the time that the call was on its way. */
const wayMs = 100;

/** Aborts when the call's deadline is over or its caller has gone; after the answer, on some runtimes, as well. */
function signalOf(call: ServerUnaryCall<Buffer, Uint8Array>): AbortSignal {
  const controller = new AbortController();
  const startedMs = performance.now();
  const givenMs = Number(call.getDeadline()) - Date.now();
  call.once("cancelled", () => {
    const isLate = performance.now() - startedMs >= givenMs - Math.min(wayMs, givenMs / 10);
    const [message, name] = isLate
      ? ["the call took longer than its caller waits", "TimeoutError"]
      : ["the caller went away", "AbortError"];
    controller.abort(new DOMException(message, name));
  });
  return controller.signal;
}
