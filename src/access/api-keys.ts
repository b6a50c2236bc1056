/** The API keys that a gateway takes now, found by what a caller sends. */

import { timingSafeEqual } from "node:crypto";
import type { Rate } from "../settings/parsers.ts";
import { hashApiKey, isApiKey } from "./api-key.ts";
import type { ParsedKeyEntry } from "./api-key-file.ts";
import type { Scope } from "./scope.ts";

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
