/**
 * API keys: what one looks like, what is kept of it, and those that a gateway takes now. `tl_`, 160 random bits in
 * hexadecimal, and a checksum: a reader who finds one knows what it is, and a typing mistake differs from a key that is not
 * known. Only its SHA-256 is kept. A slow hash as for passwords would protect what people choose; 160 random bits cannot be
 * guessed, and each request would pay for it.
 */

import { createHash, randomBytes, timingSafeEqual } from "node:crypto";
import { crc32 } from "node:zlib";
import type { Rate } from "../settings/parsers.ts";
import type { ParsedKeyEntry, Scope } from "./api-key-file.ts";

export interface ApiKey {
  id: string;
  scopes: ReadonlySet<Scope>;
  /** undefined: that of the settings. */
  rate: Rate | undefined;
  /** undefined: as the settings say. */
  trustTraceContext: boolean | undefined;
  expiresAtMs: number;
}

export interface ApiKeys {
  size: number;
  /** The key that this text is, expired or not. */
  find(text: string): ApiKey | undefined;
}

interface Candidate {
  hash: Buffer;
  key: ApiKey;
}

export function createApiKeys(entries: readonly ParsedKeyEntry[]): ApiKeys {
  /** By the first bytes of the hash, so that a request is compared with hardly ever more than one. */
  const byStart = new Map<number, Candidate[]>();
  for (const entry of entries) {
    const hash = Buffer.from(entry.sha256, "hex");
    const start = hash.readUInt32LE();
    byStart.set(start, [...(byStart.get(start) ?? []), { hash, key: toApiKey(entry) }]);
  }
  return {
    size: entries.length,
    find: (text) => {
      if (!isApiKey(text)) return undefined;
      const hash = hashApiKey(text);
      // How long the look-up takes tells of the hash of what the caller sent, which it knows; the rest takes one time.
      const candidates = byStart.get(hash.readUInt32LE()) ?? [];
      return candidates.find((candidate) => timingSafeEqual(candidate.hash, hash))?.key;
    },
  };
}

function toApiKey(entry: ParsedKeyEntry): ApiKey {
  return {
    id: entry.id,
    scopes: new Set(entry.scopes),
    rate: entry.rate,
    trustTraceContext: entry.trust_trace_context,
    expiresAtMs: entry.expires_at === undefined ? Number.POSITIVE_INFINITY : Date.parse(entry.expires_at),
  };
}

const prefix = "tl_";
const randomLength = 20;
const shape = /^tl_([0-9a-f]{40})([0-9a-f]{8})$/;

/** A new key. It cannot be got back from its hash. */
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
