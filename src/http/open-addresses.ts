/** Addresses without authentication that other machines can reach: a start warns of them, or is refused. */

import type { Config } from "../config.ts";
import { TaskError } from "../words/errors.ts";
import { type Address, urlOf } from "./listen.ts";

interface Unguarded {
  /** As people call it. */
  what: string;
  flag: string;
  address: Address;
  /** What lets it be opened all the same; without one a start only warns of it. */
  remedy?: string;
}

const remedy =
  "set --api-keys-file (throughline key create makes one), or --allow-unauthenticated=true where something else guards it";

/** The gateway and the console guard themselves once they have keys. Nothing else ever asks: RPC, the queue, OTLP and admin are for one's own network. */
export function unguardedAddresses(config: Config): Unguarded[] {
  const { role, apiKeysFile, gatewayListen, taskServiceListen, grpcListen, adminListen } = config;
  const { consoleListen, otlpListen, brokerListen } = config;
  const hasConsole = role.includes("console");
  const hasTasks = role.includes("task-service");
  const all: (Unguarded | false | undefined)[] = [
    role.includes("gateway") &&
      apiKeysFile === undefined && { what: "gateway", flag: "--gateway-listen", address: gatewayListen, remedy },
    hasTasks && { what: "task service", flag: "--task-service-listen", address: taskServiceListen },
    config.queue === "embedded" &&
      hasTasks &&
      brokerListen && { what: "embedded queue", flag: "--broker-listen", address: brokerListen },
    hasTasks && grpcListen && { what: "gRPC", flag: "--grpc-listen", address: grpcListen },
    hasConsole &&
      apiKeysFile === undefined && { what: "console", flag: "--console-listen", address: consoleListen, remedy },
    hasConsole && { what: "OTLP", flag: "--otlp-listen", address: otlpListen },
    { what: "admin", flag: "--admin-listen", address: adminListen },
  ];
  return all.filter((each) => each !== false && each !== undefined).filter(({ address }) => !isLoopback(address.host));
}

/** Throws `invalid_argument` when every caller could hand in tasks, or read what they did, and no setting allows that. */
export function refuseUnguarded(config: Config): void {
  if (config.allowUnauthenticated) return;
  for (const { flag, address, remedy } of unguardedAddresses(config)) {
    if (remedy === undefined) continue;
    const setting = `${flag}: "${urlOf(address).replace("http://", "")}"`;
    const message = `${setting}: other machines can reach it without authentication; ${remedy}`;
    throw new TaskError("invalid_argument", message);
  }
}

/** Of this machine alone. A name may mean anything but for the one that every machine gives itself. */
export function isLoopback(host: string): boolean {
  const plain = host.toLowerCase().replace(/^::ffff:(?=\d+\.)/, "");
  return plain === "localhost" || plain === "::1" || /^127(\.\d{1,3}){3}$/.test(plain);
}
