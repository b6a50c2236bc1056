/** `throughline key revoke`: without its entry a key opens nothing. */

import { TaskError } from "../../words/errors.ts";
import { type KeyFlags, keysPath, readKeys, writeKeys } from "./key-file.ts";

export async function revokeKey(id: string, flags: KeyFlags): Promise<void> {
  const path = keysPath(flags);
  const keys = (await readKeys(path)) ?? [];
  const left = keys.filter((key) => key.id !== id);
  if (left.length === keys.length) {
    throw new TaskError("not_found", `there is no key "${id}" in "${path}"; throughline key list shows which are`);
  }
  await writeKeys(path, left);
  process.stderr.write(`Revoked. Running gateways refuse the key "${id}" within some seconds.\n`);
}
