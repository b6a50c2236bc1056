/**
 * Bodies of the task type `http`. As sent: the content type says how the payload's JSON value becomes bytes. As answered:
 * unpacked by `Content-Encoding` (RFC 9110, 8.4), which servers also apply unasked, and decoded by its charset. Promises that
 * what is unpacked stays within the limit, and that bytes that are no text are not shown as text.
 */

import { promisify } from "node:util";
import zlib from "node:zlib";
import type { JsonText } from "../../words/json-text.ts";

/** A value that has no form in its content type. */
export class UnfitBody extends Error {
  override readonly name = "UnfitBody";
}

/** `contentType` as the header has it. Text is sent as it is, unless the type is JSON, of which any value is one. */
export function toBody({ text }: JsonText, contentType: string): string | Uint8Array {
  const essence = contentType.split(";", 1)[0]?.trim().toLowerCase() ?? "";
  if (isJson(essence)) return text;
  const body: unknown = JSON.parse(text);
  if (typeof body === "string") return toBytes(body, contentType);
  if (essence === "application/x-www-form-urlencoded") return toForm(body);
  if (essence.startsWith("text/")) return toBytes(text, contentType);
  throw new UnfitBody(`a body of the content type "${contentType}" is sent as it is: expected a string`);
}

function isJson(essence: string): boolean {
  return essence === "application/json" || essence === "text/json" || essence.endsWith("+json");
}

/** WHATWG URL, "application/x-www-form-urlencoded"; a list is the same name again for each of its values. */
function toForm(body: unknown): string {
  if (typeof body !== "object" || body === null || Array.isArray(body)) {
    throw new UnfitBody("the body of a form is expected to be an object, or a string that is encoded already");
  }
  const form = new URLSearchParams();
  for (const [name, value] of Object.entries(body)) {
    const values: unknown[] = Array.isArray(value) ? value : [value];
    for (const one of values) {
      if (typeof one === "object" && one !== null) {
        throw new UnfitBody(
          `the form's field "${name}" is expected to be text, a number, a boolean, null, or a list of these`,
        );
      }
      form.append(name, String(one ?? ""));
    }
  }
  return form.toString();
}

/** As the parameter `charset` says, in those of Node's encodings that are charsets. */
function toBytes(text: string, contentType: string): string | Uint8Array {
  const charset = charsetOf(contentType)?.toLowerCase() ?? "utf-8";
  if (charset === "utf-8" || charset === "utf8") return text;
  if (charset === "utf-16le") return Buffer.from(text, "utf16le");
  const bytes = Buffer.from(text, "latin1");
  const isAscii = Buffer.byteLength(text) === text.length && !charset.startsWith("utf-");
  const isLatin1 = charset === "iso-8859-1" && bytes.toString("latin1") === text;
  if (isAscii || isLatin1) return bytes;
  throw new UnfitBody(`the body cannot be written in the charset "${charset}": expected utf-8`);
}

/** Of a content type, with its quotes taken off. */
function charsetOf(contentType: string): string | undefined {
  return /;\s*charset\s*=\s*"?([^";\s]+)/i.exec(contentType)?.[1];
}

/** An answer is kept as the task's result: larger ones are refused as they come. */
export const maxAnswerBytes = 1024 * 1024;

/** An answer that no other attempt could read either. */
export class UnreadableAnswer extends Error {
  override readonly name = "UnreadableAnswer";
}

interface Packed {
  /** Of the server, for messages. */
  host: string;
  /** As the headers have them. */
  contentEncoding: string | undefined;
  contentType: string | undefined;
  bytes: Uint8Array;
}

/** Bytes that are no text are base64. */
type Unpacked = { text: string } | { base64: string };

type Unpack = (bytes: Uint8Array, options: { maxOutputLength: number }) => Promise<Buffer>;

const gunzip: Unpack = promisify(zlib.gunzip);
const inflate: Unpack = promisify(zlib.inflate);
const inflateRaw: Unpack = promisify(zlib.inflateRaw);

const unpackers: Record<string, Unpack> = {
  gzip: gunzip,
  "x-gzip": gunzip,
  br: promisify(zlib.brotliDecompress),
  zstd: promisify(zlib.zstdDecompress),
  // RFC 9110, 8.4.1.2: "deflate" is the format of zlib, but some send it without its head.
  deflate: (bytes, options) => (((bytes[0] ?? 0) & 0x0f) === 8 ? inflate : inflateRaw)(bytes, options),
  identity: async (bytes) => Buffer.from(bytes),
};

/** More of them no server has a reason for. */
const maxEncodings = 3;

/** Rejects with `UnreadableAnswer`, or with what an unpacker says of bytes that were cut or changed on their way. */
export async function unpack({ host, contentEncoding = "", contentType = "", bytes }: Packed): Promise<Unpacked> {
  const encodings = contentEncoding.split(",").map((name) => name.trim().toLowerCase());
  let unpacked = bytes;
  // The last one was applied last. An answer without a body has the header too.
  for (const name of bytes.byteLength === 0 ? [] : encodings.filter((name) => name !== "").reverse()) {
    const unpacker = Object.hasOwn(unpackers, name) ? unpackers[name] : undefined;
    if (!unpacker || encodings.length > maxEncodings) {
      throw new UnreadableAnswer(
        `${host} answered in the content encoding "${contentEncoding}", which is not supported`,
      );
    }
    unpacked = await unpackBy(unpacker, unpacked, { host, name });
  }
  return toText(unpacked, host, contentType);
}

async function unpackBy(unpacker: Unpack, bytes: Uint8Array, { host, name }: { host: string; name: string }) {
  try {
    return await unpacker(bytes, { maxOutputLength: maxAnswerBytes });
  } catch (cause) {
    if (cause instanceof Error && "code" in cause && cause.code === "ERR_BUFFER_TOO_LARGE") throw tooLarge(host);
    throw new Error(`${host} answered in the content encoding "${name}", but the body is not of it, or not whole`, {
      cause,
    });
  }
}

export function tooLarge(host: string): UnreadableAnswer {
  return new UnreadableAnswer(`${host} answered with more than ${maxAnswerBytes} bytes`);
}

/** Encoding standard, "BOM sniff": a byte order mark says more than the content type. */
const byteOrderMarks: readonly [charset: string, ...mark: number[]][] = [
  ["utf-8", 0xef, 0xbb, 0xbf],
  ["utf-16be", 0xfe, 0xff],
  ["utf-16le", 0xff, 0xfe],
];

function toText(bytes: Uint8Array, host: string, contentType: string): Unpacked {
  const base64 = { base64: Buffer.from(bytes).toString("base64") };
  if (/^(image|audio|video|font)\/(?!.*\+xml)/i.test(contentType.trim())) return base64;
  const marked = byteOrderMarks.find(([, ...mark]) => mark.every((byte, n) => bytes[n] === byte));
  const charset = marked?.[0] ?? charsetOf(contentType) ?? "utf-8";
  const decoder = createDecoder(charset);
  if (!decoder) throw new UnreadableAnswer(`${host} answered in the charset "${charset}", which is not known`);
  try {
    const text = decoder.decode(bytes);
    // What has a NUL in it is a binary format that happens to decode.
    return text.includes("\0") ? base64 : { text };
  } catch {
    return base64;
  }
}

function createDecoder(charset: string): TextDecoder | undefined {
  try {
    return new TextDecoder(charset, { fatal: true });
  } catch {
    return undefined;
  }
}
