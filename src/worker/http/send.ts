/**
 * One HTTP request to addresses that were looked at, in the name of a host. The addresses go to the socket, the name into
 * the `Host` header and the TLS handshake, which checks the certificate against it. A socket serves one request: one that
 * waited in a pool could be one to another name. Redirects are answers like any other, and nothing is decompressed.
 *
 * By a proxy of the environment it is different: the proxy gets the host's name and looks it up anew, and its rules say what
 * that may mean. `fetch` is the client then, which knows how proxies are asked.
 */

import { request as requestHttp } from "node:http";
import { request as requestHttps } from "node:https";
import { isIP, type LookupFunction } from "node:net";
import { readWithin } from "../../http/body.ts";
import { maxAnswerBytes, tooLarge } from "./body.ts";

export interface HttpRequest {
  url: URL;
  /** In capitals. */
  method: string;
  headers: Headers;
  body: string | Uint8Array | undefined;
}

export interface HttpAnswer {
  status: number;
  /** Headers as they came; a stranger wrote them. */
  location: string | undefined;
  retryAfter: string | undefined;
  contentEncoding: string | undefined;
  contentType: string | undefined;
  /** Empty when the status says that the answer is no result. */
  bytes: Uint8Array;
}

/**
 * How long an address may take to be connected before the next one is tried (RFC 8305, "Connection Attempt Delay"); the
 * last has no limit but the signal's.
 */
const attemptDelayMs = 300;

/** Connects to the first address that answers; rejects with the last one's error, or the signal's reason. */
export function send(
  { url, method, headers, body }: HttpRequest,
  addresses: readonly string[],
  signal: AbortSignal,
): Promise<HttpAnswer> {
  const { promise, resolve, reject } = Promise.withResolvers<HttpAnswer>();
  // The runtime's own error of an abort says nothing of its reason; one of several addresses has no message.
  const fail = (error: unknown): void => {
    const last: unknown = error instanceof AggregateError ? (error.errors.at(-1) ?? error) : error;
    reject(signal.aborted ? signal.reason : last);
  };
  const open = url.protocol === "https:" ? requestHttps : requestHttp;
  const request = open({ ...optionsOf({ url, method, headers, body }, addresses), signal }, (answer) => {
    const { statusCode: status = 0, headers } = answer;
    const chunks: Uint8Array[] = [];
    let length = 0;
    const end = (): void =>
      resolve({
        status,
        location: headers.location,
        retryAfter: headers["retry-after"],
        contentEncoding: headers["content-encoding"],
        contentType: headers["content-type"],
        bytes: Buffer.concat(chunks),
      });
    answer.on("error", fail);
    if (status >= 400) {
      end();
      request.destroy();
      return;
    }
    answer.on("data", (chunk: Uint8Array) => {
      length += chunk.byteLength;
      if (length <= maxAnswerBytes) {
        chunks.push(chunk);
        return;
      }
      reject(tooLarge(url.host));
      request.destroy();
    });
    answer.on("close", () => fail(new Error(`${url.host} closed the connection within its answer`)));
    answer.on("end", end);
  });
  request.on("error", fail);
  request.end(body);
  return promise;
}

function optionsOf({ url, method, headers, body }: HttpRequest, addresses: readonly string[]) {
  const isTls = url.protocol === "https:";
  const host = url.hostname.replace(/\.$/, "");
  return {
    host: addresses.length === 1 ? addresses[0] : host,
    lookup: lookupOf(addresses),
    autoSelectFamily: true,
    autoSelectFamilyAttemptTimeout: attemptDelayMs,
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
    // RFC 6066: a server name is never an address.
    ...(isTls && !isIP(host.replace(/^\[|\]$/g, "")) && { servername: host }),
  };
}

/** In place of asking for a name: the addresses that were looked at. */
function lookupOf(addresses: readonly string[]): LookupFunction {
  return (_, { all }, callback) => {
    const found = addresses.map((address) => ({ address, family: isIP(address) }));
    if (all) callback(null, found);
    else callback(null, found[0]?.address ?? "", found[0]?.family);
  };
}

/** Rejects as `send` does. */
export async function sendByProxy(
  { url, method, headers, body }: HttpRequest,
  proxy: string,
  signal: AbortSignal,
): Promise<HttpAnswer> {
  const answer = await fetch(url, {
    method,
    headers,
    ...(body !== undefined && { body: new Uint8Array(Buffer.from(body)) }),
    signal,
    redirect: "manual",
    proxy,
    // Within a limit it is unpacked later.
    decompress: false,
  });
  const { status } = answer;
  const header = (name: string): string | undefined => answer.headers.get(name) ?? undefined;
  return {
    status,
    location: header("location"),
    retryAfter: header("retry-after"),
    contentEncoding: header("content-encoding"),
    contentType: header("content-type"),
    bytes: await readBytes(answer, url.host),
  };
}

async function readBytes(answer: Response, host: string): Promise<Uint8Array> {
  if (answer.status >= 400) {
    await answer.body?.cancel();
    return new Uint8Array();
  }
  return readWithin(answer.body, maxAnswerBytes, () => tooLarge(host));
}
