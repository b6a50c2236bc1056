/** The Connect protocol's side of a call that arrives: what of HTTP it takes and gives. */

import { TaskError } from "../errors.ts";
import { readBody } from "../http-body.ts";
import type { HttpHandler } from "../listen.ts";
import { type AnswerCall, maxMessageBytes } from "./call.ts";
import { codecOf, connectWire, contentTypes, decodeMessage, encodeMessage, toErrorResponse } from "./connect.ts";
import { methodNamed, rpcSchemas } from "./methods.ts";

/** `address`: where the server listens, once it does. */
export function createConnectHandler(
  answerCall: AnswerCall,
  address: () => { host: string; port: number },
): HttpHandler {
  return async (request) => {
    const [, service = "", name = ""] = new URL(request.url).pathname.split("/");
    const method = methodNamed(service, name);
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
      read: async () => {
        refuseEncoding(request);
        return decodeMessage(schemas.request, codec, await readBody(request, maxMessageBytes));
      },
      accept: (message) =>
        new Response(encodeMessage(schemas.response, codec, message), {
          headers: { "content-type": contentTypes[codec] },
        }),
      refuse: toErrorResponse,
    });
  };
}

function refuseEncoding(request: Request): void {
  const encoding = request.headers.get("content-encoding") ?? "identity";
  if (encoding !== "identity") {
    throw new TaskError("unimplemented", `the content-encoding "${encoding}" is not supported; send identity`);
  }
}
