/** Looks at who is let in: addresses that ask nobody, and the file of API keys. */

import { readFile, stat } from "node:fs/promises";
import { parseKeyFile } from "../../access/api-key-file.ts";
import type { Config } from "../../config.ts";
import { urlOf } from "../../http/listen.ts";
import { unguardedAddresses } from "../../http/open-addresses.ts";
import { toFailure } from "../../words/errors.ts";
import { type Finding, failed, ok, warn } from "./finding.ts";

export async function lookAtGuards(config: Config): Promise<Finding[]> {
  const readsKeys = config.role.includes("gateway") || config.role.includes("console");
  const keys = readsKeys && config.apiKeysFile !== undefined ? await lookAtKeys(config.apiKeysFile) : [];
  return [...lookAtOpen(config), ...keys];
}

function lookAtOpen(config: Config): Finding[] {
  return unguardedAddresses(config).map(({ what, flag, address, remedy }) => {
    const check = `${what} guard`;
    const detail = `other machines can reach ${urlOf(address)}, which asks nobody who they are`;
    if (config.allowUnauthenticated) return ok(check, `${detail}; --allow-unauthenticated says that this is meant`);
    if (remedy !== undefined) return failed(check, detail, remedy);
    return warn(check, detail, `listen on loopback (${flag}), or let only your own network reach it`);
  });
}

async function lookAtKeys(path: string): Promise<Finding[]> {
  const check = "API keys";
  try {
    const keys = parseKeyFile(await readFile(path, "utf8"), path);
    const over = keys.filter(({ expires_at: at }) => at !== undefined && Date.parse(at) <= Date.now());
    const detail = `${keys.length} in ${path}${over.length > 0 ? `, ${over.length} of them over` : ""}`;
    if (keys.length === over.length) return [warn(check, detail, "throughline key create makes one that opens")];
    const { mode } = await stat(path);
    if ((mode & 0o022) !== 0) {
      return [warn(check, `${detail}; others than its owner can write it`, `chmod 600 ${path}`)];
    }
    return [ok(check, detail)];
  } catch (error) {
    return [failed(check, toFailure(error).message, "throughline key create --file makes the file")];
  }
}
