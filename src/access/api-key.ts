/**
 * What an API key looks like, and what is kept of it. `tl_`, 160 random bits in hexadecimal, and a checksum: who finds
 * one knows what it is, and a slip of the hand is told from a key that is not known. Kept is only its SHA-256. A slow hash
 * as for passwords would protect what people choose; nobody guesses 160 random bits, and each request would pay for it.
 */

import { createHash, randomBytes } from "node:crypto";
import { crc32 } from "node:zlib";

const prefix = "tl_";
const randomLength = 20;
const shape = /^tl_([0-9a-f]{40})([0-9a-f]{8})$/;

/** A new key; nobody can get it back from its hash. */
export function newApiKey(): string {
  const random = randomBytes(randomLength).toString("hex");
  return `${prefix}${random}${checksumOf(random)}`;
}

/** Whether it may be a key at all: shape and checksum. */
export function isApiKey(text: string): boolean {
  const [, random = "", checksum] = shape.exec(text) ?? [];
  return checksum !== undefined && checksumOf(random) === checksum;
}

/** SHA-256 of the whole text. */
export function hashApiKey(text: string): Buffer {
  return createHash("sha256").update(text).digest();
}

function checksumOf(random: string): string {
  return crc32(random).toString(16).padStart(8, "0");
}
