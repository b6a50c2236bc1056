/** Looks whether the addresses that the roles will listen on can be had. */

import type { Config, Role } from "../../config.ts";
import { toFailure } from "../../errors.ts";
import { type Address, listen, urlOf } from "../../listen.ts";
import { type Finding, ok, warn } from "./finding.ts";

export async function lookAtAddresses(config: Config): Promise<Finding[]> {
  const wanted: [name: string, address: Address, role: Role | undefined][] = [
    ["gateway", config.gatewayListen, "gateway"],
    ["task service", config.taskServiceListen, "task-service"],
    ["console", config.consoleListen, "console"],
    // Where nobody asked for it the console takes another one.
    ["OTLP", config.mayMoveOtlp ? { ...config.otlpListen, port: 0 } : config.otlpListen, "console"],
    ["admin", config.adminListen, undefined],
  ];
  const own = wanted.filter(([, , role]) => role === undefined || config.role.includes(role));
  return Promise.all(own.map(([name, address]) => lookAtAddress(`${name} address`, address)));
}

async function lookAtAddress(check: string, address: Address): Promise<Finding> {
  try {
    const listener = await listen(address, () => new Response());
    await listener.stop(0);
    return ok(check, `${urlOf(address)} is free`);
  } catch (error) {
    return warn(
      check,
      toFailure(error).message,
      "is it running already? else end what listens there, or choose another",
    );
  }
}
