/** Looks whether the addresses that the roles will listen on can be had, all of them at once. */

import type { Config, Role } from "../../config.ts";
import { type Address, type Listener, listen, urlOf } from "../../http/listen.ts";
import { toFailure } from "../../words/errors.ts";
import { type Finding, failed, ok, warn } from "./finding.ts";

export async function lookAtAddresses(config: Config): Promise<Finding[]> {
  const wanted: [name: string, address: Address | undefined, role: Role | undefined][] = [
    ["gateway", config.gatewayListen, "gateway"],
    ["task service", config.taskServiceListen, "task-service"],
    ["gRPC", config.grpcListen, "task-service"],
    ["console", config.consoleListen, "console"],
    // Unless its flag is set, the console takes another one.
    ["OTLP", config.mayMoveOtlp ? { ...config.otlpListen, port: 0 } : config.otlpListen, "console"],
    ["admin", config.adminListen, undefined],
  ];
  const own = wanted.filter(([, , role]) => role === undefined || config.role.includes(role));
  const isRunning = await isThroughline(config.adminListen);
  const open: Listener[] = [];
  const findings: Finding[] = [];
  // One after the other, each kept until the last: two roles may have been given the same one.
  for (const [name, address] of own) {
    if (address) findings.push(await lookAtAddress(`${name} address`, address, { open, isRunning }));
  }
  await Promise.all(open.map((listener) => listener.stop(0)));
  return findings;
}

interface Looking {
  open: Listener[];
  isRunning: boolean;
}

async function lookAtAddress(check: string, address: Address, { open, isRunning }: Looking): Promise<Finding> {
  try {
    open.push(await listen(address, () => new Response()));
    return ok(check, `${urlOf(address)} is free`);
  } catch (error) {
    const { message } = toFailure(error);
    if (isRunning) return warn(check, message, "a Throughline runs here already; stop it before another starts");
    return failed(check, message, "end what listens there, or choose another: a start is refused");
  }
}

const answerLimitMs = 2000;

/** Whether a Throughline answers at its admin address. */
async function isThroughline(address: Address): Promise<boolean> {
  if (address.port === 0) return false;
  try {
    const answer = await fetch(`${urlOf(address)}/health`, { signal: AbortSignal.timeout(answerLimitMs) });
    return "uptime_seconds" in Object(await answer.json());
  } catch {
    return false;
  }
}
