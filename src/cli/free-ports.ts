/** A free port for each address that is taken and that nobody asked for: trying something must not need ports chosen. */

import type { Config, SettingName, SettingRow } from "../config.ts";
import { listen } from "../http/listen.ts";

export async function onFreePorts(config: Config, rows: readonly SettingRow[]): Promise<Config> {
  const isAsked = (name: SettingName): boolean => rows.some((row) => row.name === name && row.source !== "default");
  const chosen = { ...config };
  for (const name of ["gatewayListen", "taskServiceListen", "grpcListen", "adminListen", "consoleListen"] as const) {
    const address = config[name];
    if (!address || isAsked(name) || (await isFree(address))) continue;
    chosen[name] = { ...address, port: 0 };
  }
  return chosen;
}

async function isFree(address: Config["gatewayListen"]): Promise<boolean> {
  try {
    const listener = await listen(address, () => new Response());
    await listener.stop(0);
    return true;
  } catch {
    return false;
  }
}
