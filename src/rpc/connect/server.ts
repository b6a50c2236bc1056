/** Calls that arrive over HTTP/1.1, by Connect or gRPC-Web: what of HTTP they take and give. */

import type { HttpHandler } from "../../http/listen.ts";
import { readBody } from "../../http/request-body.ts";
import { TaskError } from "../../words/errors.ts";
import { type AnswerCall, maxBytesOf } from "../call.ts";
import { grpcWebWire, isGrpcWeb, readFrame, toGrpcWebError, toGrpcWebResponse } from "../grpc-web.ts";
import { fromBinaryMessage, methodNamed, type RpcMethod, rpcSchemas, toBinaryMessage } from "../methods.ts";
import { codecOf, connectWire, contentTypes, decodeMessage, encodeMessage, toErrorResponse } from "./wire.ts";

/** `address`: where the server listens, once it does. */
export function createConnectHandler(
  answerCall: AnswerCall,
  address: () => { host: string; port: number },
): HttpHandler {
  const answerGrpcWeb = (request: Request, method: RpcMethod): Promise<Response> => {
    const schemas = rpcSchemas[method];
    return answerCall({
      method,
      wire: grpcWebWire,
      address: address(),
      metadata: (header) => request.headers.get(header) ?? undefined,
      ...signalOf(request, method),
      read: async () => fromBinaryMessage(schemas.request, readFrame(await readBody(request, maxBytesOf(method)))),
      accept: (message) => toGrpcWebResponse(toBinaryMessage(schemas.response, message)),
      refuse: toGrpcWebError,
    });
  };

  return async (request) => {
    const [, service = "", name = ""] = new URL(request.url).pathname.split("/");
    const method = methodNamed(service, name);
    if (!method) return new Response(null, { status: 404 });
    if (request.method !== "POST") return new Response(null, { status: 405, headers: { allow: "POST" } });
    if (isGrpcWeb(request.headers.get("content-type"))) return answerGrpcWeb(request, method);
    const codec = codecOf(request.headers.get("content-type"));
    if (!codec) {
      const accepted = Object.values(contentTypes).join(", ");
      return new Response(null, { status: 415, headers: { "accept-post": accepted } });
    }
    const schemas = rpcSchemas[method];
    return answerCall({
      method,
      wire: connectWire,
      address: address(),
      metadata: (header) => request.headers.get(header) ?? undefined,
      ...signalOf(request, method),
      read: async () => {
        refuseEncoding(request);
        return decodeMessage(schemas.request, codec, await readBody(request, maxBytesOf(method)));
      },
      accept: (message) =>
        new Response(encodeMessage(schemas.response, codec, message), {
          headers: { "content-type": contentTypes[codec] },
        }),
      refuse: toErrorResponse,
    });
  };
}

/** Calls that may be held for longer than their caller stays. Other calls are not worth a listener. */
const held: ReadonlySet<RpcMethod> = new Set(["GetTask", "WatchTask"]);

function signalOf(request: Request, method: RpcMethod): { signal?: AbortSignal } {
  return held.has(method) ? { signal: request.signal } : {};
}

function refuseEncoding(request: Request): void {
  const encoding = request.headers.get("content-encoding") ?? "identity";
  if (encoding !== "identity") {
    throw new TaskError("unimplemented", `the content-encoding "${encoding}" is not supported; send identity`);
  }
}
