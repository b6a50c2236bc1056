/** Calls that arrive over HTTP/1.1 by the Connect protocol: what of HTTP they take and give. */

import { readBody } from "../../http/body.ts";
import type { HttpHandler } from "../../http/listen.ts";
import { TaskError } from "../../words/errors.ts";
import { type AnswerCall, maxBytesOf } from "../call.ts";
import { methodOf, type RpcMethod, rpcSchemas } from "../methods.ts";
import { codecOf, connectWire, contentTypes, decodeMessage, encodeMessage, toErrorResponse } from "./wire.ts";

/** `address`: where the server listens, once it does. */
export function createConnectHandler(
  answerCall: AnswerCall,
  address: () => { host: string; port: number },
): HttpHandler {
  return async (request) => {
    const method = methodAt(request.url);
    if (!method) return new Response(null, { status: 404 });
    if (request.method !== "POST") return new Response(null, { status: 405, headers: { allow: "POST" } });
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
      signal: held.has(method) ? request.signal : undefined,
      read: async () => {
        refuseEncoding(request);
        return decodeMessage(schemas.request, codec, await readBody(request, maxBytesOf(method)));
      },
      accept: ({ json, metadata }) =>
        new Response(encodeMessage(schemas.response, codec, json), {
          headers: { "content-type": contentTypes[codec], ...metadata },
        }),
      refuse: toErrorResponse,
    });
  };
}

/** Calls that may be held for longer than their caller stays. Other calls are not worth a listener. */
const held: ReadonlySet<RpcMethod> = new Set(["GetTask", "WatchTask"]);

/** `url`: whole, and in the form that a URL has once it was parsed. */
function methodAt(url: string): RpcMethod | undefined {
  const pathAt = url.indexOf("/", url.indexOf("//") + 2);
  const end = url.indexOf("?", pathAt);
  return methodOf(url.slice(pathAt + 1, end < 0 ? undefined : end));
}

function refuseEncoding(request: Request): void {
  const encoding = request.headers.get("content-encoding") ?? "identity";
  if (encoding !== "identity") {
    throw new TaskError("unimplemented", `the content-encoding "${encoding}" is not supported; send identity`);
  }
}
