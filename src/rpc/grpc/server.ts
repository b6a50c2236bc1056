/**
 * The gRPC server: the task service by HTTP/2 without TLS, with health and reflection. The library keeps deadlines,
 * cancellation, compression and connections; a call is answered as by any other protocol.
 *
 * A message is protobuf or JSON. gRPC names its codec in the content-type, which the library neither lets a client set nor
 * shows to a server; but JSON begins with `{`, and no protobuf message of ours does: that byte is the start of a group.
 */

import { createServer, type Server as NetServer, type Socket } from "node:net";
import {
  Metadata,
  Server,
  ServerCredentials,
  type ServerOptions,
  type ServerUnaryCall,
  type sendUnaryData,
  type UntypedServiceImplementation,
} from "@grpc/grpc-js";
import { TaskService } from "../../gen/tasks_pb.ts";
import { watchFiles } from "../../host/open-files.ts";
import { type Address, closeWithin, type Listener, urlOf, usualIdleTimeoutSeconds } from "../../http/listen.ts";
import { TaskError } from "../../words/errors.ts";
import { type AnswerCall, largestMessageBytes, maxBytesOf, maxCallsInProgress } from "../call.ts";
import { fromBinaryMessage, parseMessage, type RpcMethod, rpcSchemas, toBinaryMessage } from "../methods.ts";
import { createHealthService } from "./health.ts";
import { createReflectionServices } from "./reflection.ts";
import { definitionOf, grpcWire, toErrorStatus } from "./wire.ts";

const serverOptions: ServerOptions = {
  // Above ours, which answers with a span; the library's own refusal comes before there is a call.
  "grpc.max_receive_message_length": 2 * largestMessageBytes,
  // A gateway has all its calls on one connection.
  "grpc.max_concurrent_streams": maxCallsInProgress,
  // Without its book-keeping the library forgets the connections that it is to close by force.
  "grpc.enable_channelz": 1,
  // Also ends a connection that never begins to speak HTTP/2.
  "grpc.max_connection_idle_ms": usualIdleTimeoutSeconds * 1000,
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
  const injector = server.createConnectionInjector(ServerCredentials.createInsecure());
  const port = await openPort(address, (socket) => injector.injectConnection(socket));
  bound.port = port.number;
  let closed: Promise<void> | undefined;
  return {
    url: urlOf(bound),
    ...bound,
    stop: (graceMs = 1000) => {
      draining.abort();
      // The library asks the sessions to close; that they have is known by their connections.
      if (!closed) server.tryShutdown(() => {});
      closed ??= port.close();
      const closing = closed;
      return closeWithin(
        graceMs,
        () => closing,
        () => server.forceShutdown(),
      );
    },
  };
}

interface Port {
  number: number;
  /** Takes no connection any more; resolves when those that are open have ended. */
  close(): Promise<void>;
}

/** As HTTP's listeners: closed while too few file descriptors are left, what is connected is served on. */
async function openPort(address: Address, onConnection: (socket: Socket) => void): Promise<Port> {
  const open = (port: number): Promise<NetServer> => {
    const listener = createServer({ noDelay: true }, onConnection);
    const { promise, resolve, reject } = Promise.withResolvers<NetServer>();
    // Later ones are of connections that could not be accepted.
    listener.on("error", reject);
    listener.listen(port, address.host, () => resolve(listener));
    return promise;
  };
  let current = await open(address.port).catch((cause: Error) => {
    const message = `could not listen on ${urlOf(address).replace("http://", "")}: ${cause.message}`;
    throw new TaskError("unavailable", message, { cause });
  });
  const bound = current.address();
  const number = bound !== null && typeof bound === "object" ? bound.port : address.port;
  const closing = new Set<Promise<void>>();
  const closeCurrent = (): void => {
    // It also calls back, with an error, when it does not listen.
    const closed = new Promise<void>((resolve) => current.close(() => resolve()));
    closing.add(closed);
    void closed.then(() => closing.delete(closed));
  };
  const watch = watchFiles("inner", {
    onScarce: closeCurrent,
    onRoom: async () => {
      current = await open(number);
    },
  });
  return {
    number,
    close: async () => {
      watch[Symbol.dispose]();
      closeCurrent();
      await Promise.all(closing);
    },
  };
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
        return isJson(call.request) ? parseMessage(call.request) : fromBinaryMessage(schemas.request, call.request);
      },
      accept: ({ json, metadata = {} }) => {
        const answer = isJson(call.request) ? Buffer.from(json) : toBinaryMessage(schemas.response, json);
        const headers = new Metadata();
        for (const [name, value] of Object.entries(metadata)) headers.set(name, value);
        return (): void => {
          call.sendMetadata(headers);
          callback(null, answer);
        };
      },
      refuse: (error) => (): void => callback(toErrorStatus(error)),
    }).then((answer) => answer());
  };
}

function isJson(message: Uint8Array): boolean {
  return message[0] === 0x7b;
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
