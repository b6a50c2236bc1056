/**
 * What `throughline doctor` sees of the processes that these settings start: whether their handlers load, their addresses
 * are free and guarded, and they may open files enough.
 */

import { readFile, stat } from "node:fs/promises";
import { parseKeyFile } from "../../access/api-key-file.ts";
import type { Config, Role } from "../../config.ts";
import { lowOpenFileLimit, openFileLimit } from "../../host/open-files.ts";
import { type Address, type Listener, listen, urlOf } from "../../http/listen.ts";
import { unguardedAddresses } from "../../http/open-addresses.ts";
import { findLiveTypes } from "../../store/open-store.ts";
import { toFailure, toTaskError } from "../../words/errors.ts";
import { handlerFiles } from "../../worker/handlers/handler-files.ts";
import { Slot } from "../../worker/threads/slot.ts";
import { type Finding, failed, ok, warn } from "./finding.ts";

/**
 * Loads every handler file on a thread, as a worker does it, since a file may end its thread or never yield; and looks
 * whether tasks wait for a handler that is not among them.
 */
export async function lookAtHandlers(config: Config): Promise<Finding[]> {
  const ignore = (): void => {};
  const slot = new Slot(1, config, {
    onSpans: ignore,
    onLog: ignore,
    onAttemptEnded: ignore,
    onOverdue: ignore,
    onAnswer: ignore,
    onSilence: ignore,
    onExit: ignore,
  });
  try {
    const types = (await slot.loaded).map(({ type }) => type);
    const found = ok("handlers", `${types.join(", ")}, from ${config.handlers ?? "the built-in ones alone"}`);
    return [found, ...passedOver(config), ...(await lookAtWaiting(config, (type) => types.includes(type)))];
  } catch (thrown) {
    const error = toTaskError(thrown);
    if (error.code !== "invalid_argument") throw error;
    const mend = "mend the file: a worker does not start with it";
    return error.message.split("\n").map((problem) => failed("handlers", problem, mend));
  } finally {
    slot.close();
  }
}

/** A store that does not answer has a finding of its own. */
async function lookAtWaiting(config: Config, isHandled: (type: string) => boolean): Promise<Finding[]> {
  const missing = await findLiveTypes(config, (type) => !isHandled(type)).catch(() => []);
  if (missing.length === 0) return [];
  const detail = `tasks wait for handlers that are not among them: ${missing.map((type) => `"${type}"`).join(", ")}`;
  const mend = "give a worker these handlers; else the tasks are dead after --handler-wait";
  return [warn("task types", detail, mend)];
}

function passedOver({ handlers: folder }: Config): Finding[] {
  if (folder === undefined) return [];
  const { passedOver: names } = handlerFiles(folder);
  return names.length === 0 ? [] : [ok("handlers", `passed over, as no handler files: ${names.join(", ")}`)];
}

/** Listens on all addresses of the roles at once. */
export async function lookAtAddresses(config: Config): Promise<Finding[]> {
  const wanted: [name: string, address: Address | undefined, role: Role | undefined][] = [
    ["gateway", config.gatewayListen, "gateway"],
    ["task service", config.taskServiceListen, "task-service"],
    ["gRPC", config.grpcListen, "task-service"],
    ["embedded queue", config.queue === "embedded" ? config.brokerListen : undefined, "task-service"],
    ["console", config.consoleListen, "console"],
    // Unless its flag is set, the console takes another one.
    ["OTLP", config.mayMoveOtlp ? { ...config.otlpListen, port: 0 } : config.otlpListen, "console"],
    ["admin", config.adminListen, undefined],
  ];
  const own = wanted.filter(([, , role]) => role === undefined || config.role.includes(role));
  const isRunning = await isThroughline(config.adminListen);
  const open: Listener[] = [];
  const findings: Finding[] = [];
  // Each stays open until the last: two roles may have been given the same address.
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

/** Looks at who is let in: addresses without a guard, and the file of API keys. */
export async function lookAtGuards(config: Config): Promise<Finding[]> {
  const readsKeys = config.role.includes("gateway") || config.role.includes("console");
  const keys = readsKeys && config.apiKeysFile !== undefined ? await lookAtKeys(config.apiKeysFile) : [];
  return [...lookAtOpen(config), ...keys];
}

function lookAtOpen(config: Config): Finding[] {
  return unguardedAddresses(config).map(({ what, flag, address, remedy }) => {
    const check = `${what} guard`;
    const detail = `other machines can reach ${urlOf(address)}, which has no authentication`;
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

/** None where the limit is not known. */
export function lookAtOpenFiles(): Finding[] {
  const limit = openFileLimit();
  if (limit === Number.POSITIVE_INFINITY) return [];
  const detail = `${limit} may be open at once, among them each connection`;
  if (limit >= lowOpenFileLimit) return [ok("open files", detail)];
  const mend = `raise the limit to ${lowOpenFileLimit} or more: ulimit -n, LimitNOFILE= of systemd, --ulimit nofile= of Docker`;
  return [warn("open files", detail, mend)];
}
