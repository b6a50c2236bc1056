/** `throughline key create`: a new key on stdout, once, and its entry in the file. */

import { type KeyEntry, parseKeyFile, scopes, toFileText } from "../../access/api-key-file.ts";
import { hashApiKey, newApiKey } from "../../access/api-keys.ts";
import { readKeysPath } from "../../config.ts";
import { listOf, oneOf, parseDuration } from "../../settings/parsers.ts";
import { TaskError } from "../../words/errors.ts";
import { type NewKeyFlags, readKeys, writeKeys } from "./key-file.ts";

export async function createKey(flags: NewKeyFlags): Promise<void> {
  const path = readKeysPath(flags.file);
  const key = newApiKey();
  const entry = toEntry(flags, hashApiKey(key).toString("hex"));
  const before = path === undefined ? [] : ((await readKeys(path)) ?? []);
  if (before.some(({ id }) => id === entry.id)) {
    throw new TaskError("invalid_argument", `--id: "${entry.id}": there is a key of that name, revoke it first`);
  }
  const keys = [...before, entry];
  // As the gateway will, before anything is written.
  parseKeyFile(toFileText(keys), path ?? "the new key");
  if (path === undefined) {
    process.stderr.write(`Its entry, for "keys" of a file:\n${JSON.stringify(entry)}\n`);
  } else {
    await writeKeys(path, keys);
    process.stderr.write(`Added to ${path}. `);
  }
  process.stderr.write(`This is the key "${entry.id}". It is shown this once:\n`);
  process.stdout.write(`${key}\n`);
}

function toEntry({ id, scope, expiresIn, rate, distrustTraceContext }: NewKeyFlags, sha256: string): KeyEntry {
  const nowMs = Date.now();
  return {
    id,
    sha256,
    scopes: [...new Set(told("--scope", scope, listOf(oneOf(...scopes))))],
    created_at: new Date(nowMs).toISOString(),
    ...(expiresIn !== undefined && {
      expires_at: new Date(nowMs + told("--expires-in", expiresIn, parseDuration)).toISOString(),
    }),
    ...(rate !== undefined && { rate }),
    ...(distrustTraceContext && { trust_trace_context: false }),
  };
}

function told<T>(flag: string, text: string, parse: (text: string) => T): T {
  try {
    return parse(text);
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new TaskError("invalid_argument", `${flag}: "${text}": ${why}`);
  }
}
