/**
 * One HTTP request to an address that was looked at, in the name of a host. The address goes to the socket, the name into
 * the `Host` header and the TLS handshake, which checks the certificate against it. A socket serves one request: one that
 * waited in a pool could be one to another name. Redirects are answers like any other, and nothing is decompressed.
 */

import { request as requestHttp } from "node:http";
import { request as requestHttps } from "node:https";
import { isIP } from "node:net";

export interface HttpRequest {
  url: URL;
  /** In capitals. */
  method: string;
  headers: Headers;
  body: string | undefined;
}

export interface HttpAnswer {
  status: number;
  /** Headers as they came; a stranger wrote them. */
  location: string | undefined;
  retryAfter: string | undefined;
  text: string;
}

/** An answer is kept as the task's result: larger ones are refused as they come. */
export const maxAnswerBytes = 1024 * 1024;

export class AnswerTooLarge extends Error {
  override readonly name = "AnswerTooLarge";
}

/** Nothing was sent yet: the next address may do. */
const unreachable: ReadonlySet<unknown> = new Set(["ECONNREFUSED", "ENETUNREACH", "EHOSTUNREACH", "EADDRNOTAVAIL"]);

/** Tries the addresses in turn until one is connected; rejects with the last one's error, or the signal's reason. */
export async function send(
  request: HttpRequest,
  addresses: readonly string[],
  signal: AbortSignal,
): Promise<HttpAnswer> {
  let last: unknown;
  for (const address of addresses) {
    try {
      return await sendTo(address, request, signal);
    } catch (error) {
      last = error;
      if (!(error instanceof Error && "code" in error && unreachable.has(error.code))) break;
    }
  }
  throw last;
}

function sendTo(
  address: string,
  { url, method, headers, body }: HttpRequest,
  signal: AbortSignal,
): Promise<HttpAnswer> {
  const isTls = url.protocol === "https:";
  const host = url.hostname.replace(/\.$/, "");
  const { promise, resolve, reject } = Promise.withResolvers<HttpAnswer>();
  // The runtime's own error of an abort says nothing of its reason.
  const fail = (error: unknown): void => reject(signal.aborted ? signal.reason : error);
  const options = {
    host: address,
    port: Number(url.port) || (isTls ? 443 : 80),
    path: `${url.pathname}${url.search}`,
    method,
    headers: {
      ...Object.fromEntries(headers),
      host: url.host,
      ...(body !== undefined && { "content-length": String(Buffer.byteLength(body)) }),
    },
    // No pool.
    agent: false,
    signal,
    // RFC 6066: a server name is never an address.
    ...(isTls && !isIP(host.replace(/^\[|\]$/g, "")) && { servername: host }),
  };
  const request = (isTls ? requestHttps : requestHttp)(options, (answer) => {
    const chunks: Uint8Array[] = [];
    let length = 0;
    answer.on("data", (chunk: Uint8Array) => {
      length += chunk.byteLength;
      if (length <= maxAnswerBytes) {
        chunks.push(chunk);
        return;
      }
      reject(new AnswerTooLarge(`${url.host} answered with more than ${maxAnswerBytes} bytes`));
      request.destroy();
    });
    answer.on("error", fail);
    answer.on("close", () => fail(new Error(`${url.host} closed the connection within its answer`)));
    answer.on("end", () =>
      resolve({
        status: answer.statusCode ?? 0,
        location: answer.headers.location,
        retryAfter: answer.headers["retry-after"],
        text: new TextDecoder().decode(Buffer.concat(chunks)),
      }),
    );
  });
  request.on("error", fail);
  request.end(body);
  return promise;
}
