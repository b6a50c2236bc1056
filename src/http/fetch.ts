/**
 * What `fetch` does in this process by the environment. It follows `HTTP_PROXY`, `HTTPS_PROXY`, `ALL_PROXY` and `NO_PROXY`,
 * each also in small letters, which win, and reads them for each call. Calls that stay on this machine, or go to a plain
 * address of the settings, must not use a proxy: it would read keys and payloads, and often finds no way back.
 *
 * Bun bounds how many requests are under way at once, for all threads of a process together; every other one waits, those of
 * the queue and of the RPC among them. Bun reads that bound once, when the process starts.
 */

import { BlockList, isIP } from "node:net";
import { hostname, networkInterfaces } from "node:os";
import type { Config } from "../config.ts";
import { runtime } from "../host/runtime.ts";

type Environment = Record<string, string | undefined>;

/** Also what gRPC's client reads. */
const proxyVariables = ["http_proxy", "https_proxy", "all_proxy", "grpc_proxy"];

/** A connection to the unspecified address, `0.0.0.0` or `::`, also reaches this machine. */
const ownAddresses = ["localhost", "127.0.0.1", "127.0.0.0/8", "::1", "[::1]", "0.0.0.0", "::", "[::]"];

/**
 * Adds this machine's addresses, and the hosts of `urls` that are `http:`, to `NO_PROXY`, for this process, its threads and
 * its children. One that is `https:` may be beyond the proxy, which cannot readVariable along. Changes nothing without a proxy.
 */
export function keepOffProxies(urls: readonly (string | undefined)[], env: Environment = process.env): void {
  if (!proxyVariables.some((name) => readVariable(env, name))) return;
  const hosts = urls.flatMap((url) => {
    const { protocol, hostname: host } = (url === undefined ? null : URL.parse(url)) ?? { protocol: "", hostname: "" };
    return protocol === "http:" ? [host, host.replace(/^\[|\]$/g, "")] : [];
  });
  const own = Object.values(networkInterfaces()).flatMap((all = []) => all.map(({ address }) => address));
  const listed = [...entriesOf(env), ...ownAddresses, hostname().toLowerCase(), ...own, ...hosts];
  env.NO_PROXY = [...new Set(listed.filter((entry) => entry !== ""))].join(",");
  env.no_proxy = env.NO_PROXY;
}

type SettingUrl = "taskServiceUrl" | "gatewayUrl" | "jaegerUrl" | "queueEndpoint" | "storeEndpoint";

/** The same for all addresses that the settings name. */
export function keepSettingsOffProxies(config: Pick<Config, SettingUrl>, env: Environment = process.env): void {
  const { taskServiceUrl, gatewayUrl, jaegerUrl, queueEndpoint, storeEndpoint } = config;
  keepOffProxies([taskServiceUrl, gatewayUrl, jaegerUrl, queueEndpoint, storeEndpoint], env);
}

/** The proxy for a call to `url`, as `fetch` would find it; undefined: none. */
export function proxyOf({ protocol, hostname: name, port }: URL, env: Environment = process.env): string | undefined {
  const isSecure = protocol === "https:";
  const proxy = readVariable(env, isSecure ? "https_proxy" : "http_proxy") ?? readVariable(env, "all_proxy");
  if (proxy === undefined) return undefined;
  const host = name
    .replace(/^\[|\]$/g, "")
    .replace(/\.$/, "")
    .toLowerCase();
  const usedPort = port || (isSecure ? "443" : "80");
  if (entriesOf(env).some((entry) => isExempt(entry, host, usedPort))) return undefined;
  return proxy.includes("://") ? proxy : `http://${proxy}`;
}

function readVariable(env: Environment, name: string): string | undefined {
  return env[name] || env[name.toUpperCase()] || undefined;
}

function entriesOf(env: Environment): string[] {
  return (readVariable(env, "no_proxy") ?? "")
    .toLowerCase()
    .split(/[\s,]+/)
    .filter((entry) => entry !== "");
}

/** `entry`: `*`, a domain with all below it, an address, a range of addresses; each but the last may have a port. */
function isExempt(entry: string, host: string, port: string): boolean {
  if (entry === "*") return true;
  if (entry.includes("/")) return isInRange(entry, host);
  const [, bracketed, plain = "", entryPort] = /^(?:\[(.+)\]|(.+?))(?::(\d+))?$/.exec(entry) ?? [];
  if (isIP(entry)) return entry === host;
  if (entryPort !== undefined && entryPort !== port) return false;
  const domain = (bracketed ?? plain).replace(/^\*?\./, "");
  return host === domain || (!isIP(host) && host.endsWith(`.${domain}`));
}

function isInRange(range: string, host: string): boolean {
  const [network = "", prefix] = range.split("/");
  const family = isIP(network) === 6 ? "ipv6" : "ipv4";
  if (!isIP(network) || isIP(network) !== isIP(host) || !/^\d{1,3}$/.test(prefix ?? "")) return false;
  if (Number(prefix) > (family === "ipv6" ? 128 : 32)) return false;
  const list = new BlockList();
  list.addSubnet(network, Number(prefix), family);
  return list.check(host, family);
}

export const fetchPlacesVariable = "BUN_CONFIG_MAX_HTTP_REQUESTS";

/** Bun's own, without the variable. */
const usualPlaces = 256;
/** Where the runtime has no bound. */
const unboundedPlaces = 4096;
/** What the roles of a process need at most, with room. */
const placesOfRoles = 256;

/** All of the process. Deno has no bound. */
export function fetchPlaces(env: NodeJS.ProcessEnv = process.env): number {
  const set = Number(env[fetchPlacesVariable]);
  if (Number.isInteger(set) && set > 0) return set;
  return runtime.name === "deno" ? unboundedPlaces : usualPlaces;
}

/** Those of each of a process's handler threads; the rest is for the roles. */
export function fetchPlacesOfThread(threads: number, places: number = fetchPlaces()): number {
  return Math.max(1, Math.floor((places - Math.min(placesOfRoles, places / 2)) / threads));
}
