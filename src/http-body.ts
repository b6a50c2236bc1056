/** Reading a request's body within a limit that is ours: the runtime's own answers without our headers and words. */

import { TaskError } from "./errors.ts";

/** The whole body; throws `payload_too_large` as soon as it is known to be longer than `maxBytes`. */
export async function readBody(request: Request, maxBytes: number): Promise<Uint8Array> {
  const tooLarge = (): TaskError => new TaskError("payload_too_large", `the body is larger than ${maxBytes} bytes`);
  const announced = request.headers.get("content-length");
  if (announced !== null) {
    if (Number(announced) > maxBytes) throw tooLarge();
    return request.bytes();
  }
  if (!request.body) return new Uint8Array();
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of request.body) {
    length += chunk.byteLength;
    if (length > maxBytes) throw tooLarge();
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

/** JSON from a body; throws `invalid_argument` when it is not JSON or nests deeper than `maxDepth`. */
export function parseJson(body: Uint8Array, maxDepth: number): unknown {
  const text = decodeUtf8(body);
  if (isDeeperThan(text, maxDepth)) {
    throw new TaskError("invalid_argument", `the body nests deeper than ${maxDepth} levels`);
  }
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new TaskError("invalid_argument", "the body is not JSON", { cause });
  }
}

const utf8 = new TextDecoder("utf-8", { fatal: true });

function decodeUtf8(body: Uint8Array): string {
  try {
    return utf8.decode(body);
  } catch (cause) {
    throw new TaskError("invalid_argument", "the body is not UTF-8", { cause });
  }
}

/** Counts brackets outside strings, before anything is built: the parser itself takes 90,000 levels. */
export function isDeeperThan(text: string, maxDepth: number): boolean {
  let depth = 0;
  let inString = false;
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (inString) {
      if (code === 0x5c) at++;
      else if (code === 0x22) inString = false;
    } else if (code === 0x22) inString = true;
    else if (code === 0x7b || code === 0x5b) {
      depth += 1;
      if (depth > maxDepth) return true;
    } else if (code === 0x7d || code === 0x5d) depth -= 1;
  }
  return false;
}
