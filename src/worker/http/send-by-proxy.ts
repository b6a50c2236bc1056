/**
 * One HTTP request by way of a proxy of the environment. The proxy gets the host's name and looks it up anew: its rules say
 * what that may mean. Here `fetch` is the client, which knows how proxies are asked.
 */

import { maxAnswerBytes, tooLarge } from "./answer-body.ts";
import type { HttpAnswer, HttpRequest } from "./send.ts";

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
  const chunks: Uint8Array[] = [];
  let length = 0;
  // Leaving the loop ends the answer.
  for await (const chunk of answer.body ?? []) {
    length += chunk.byteLength;
    if (length > maxAnswerBytes) throw tooLarge(host);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}
