/**
 * Where the `http` task may call. A name is resolved once, every address that it resolves to must be of an allowed kind,
 * and the call then connects to one of these addresses, not to the name: what the name means a moment later does
 * not matter. Link-local addresses and those where clouds keep their credentials are never allowed by kind.
 */

import { lookup } from "node:dns/promises";
import { BlockList, isIP } from "node:net";

const loopback = blockListOf("127.0.0.0/8", "::1/128");
const privateRanges = blockListOf("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "fc00::/7");
/**
 * IANA special-purpose registries: neither public nor a private network, or turned into another on the way. And
 * the metadata services that clouds have put among public or private addresses: Azure, Alibaba, AWS, Google.
 */
const reserved = blockListOf(
  "0.0.0.0/8",
  "100.100.100.200/32",
  "168.63.129.16/32",
  "169.254.0.0/16",
  "192.0.0.0/24",
  "192.0.2.0/24",
  "192.88.99.0/24",
  "198.18.0.0/15",
  "198.51.100.0/24",
  "203.0.113.0/24",
  "224.0.0.0/3",
  "::/96",
  "::ffff:0:0:0/96",
  "64:ff9b::/96",
  "64:ff9b:1::/48",
  "100::/64",
  "2001::/23",
  "2001:db8::/32",
  "2002::/16",
  "3fff::/20",
  "5f00::/16",
  "fd00:ec2::254/128",
  "fd20:ce::254/128",
  "fe80::/10",
  "fec0::/10",
  "ff00::/8",
);

type AddressKind = "public" | "loopback" | "private" | "reserved";

/** A target that the settings do not allow; a later attempt would find the same. */
export class ForbiddenTarget extends Error {
  override readonly name = "ForbiddenTarget";
}

/** All addresses of a name, in the order in which they are to be tried. */
export type Resolve = (host: string) => Promise<string[]>;

/** As any other program of this machine: its hosts file, its name servers. */
export const resolveBySystem: Resolve = async (host) => {
  return (await lookup(host, { all: true })).map(({ address }) => address);
};

/** Tries of one call; more than this no sensible name has. */
const maxAddresses = 8;

/**
 * The addresses to connect to for `url`. `allow`: kinds of addresses, or host patterns such as `*.example.com`, under
 * which a name may mean any address. Throws `ForbiddenTarget`; rejects as `resolve` does when the name is unknown.
 */
export async function allowedAddresses(url: URL, allow: readonly string[], resolve: Resolve): Promise<string[]> {
  refuseForm(url);
  const host = hostOf(url);
  const addresses = isIP(host) ? [host] : (await resolve(host)).slice(0, maxAddresses);
  if (addresses.length === 0) throw new Error(`"${host}" has no address`);
  if (allow.some((rule) => matchesHost(rule, host))) return addresses;
  for (const address of addresses) {
    const kind = kindOf(address);
    if (!allow.includes(kind)) {
      throw new ForbiddenTarget(`calls to ${kind} addresses are not allowed (${host}); --http-allow says which are`);
    }
  }
  return addresses;
}

/**
 * The same for a call by a proxy, which looks the name up by itself: empty for a name that `allow` has as such. A name that
 * is not known here is refused, as there is no address that could be looked at.
 */
export async function addressesByProxy(url: URL, allow: readonly string[], resolve: Resolve): Promise<string[]> {
  refuseForm(url);
  const host = hostOf(url);
  if (allow.some((rule) => matchesHost(rule, host))) return [];
  try {
    return await allowedAddresses(url, allow, resolve);
  } catch (cause) {
    if (cause instanceof ForbiddenTarget) throw cause;
    const hint = `--http-allow=${host} allows that`;
    throw new Error(`"${host}" has no address here, and its proxy would look it up unchecked: ${hint}`, { cause });
  }
}

export function isLoopback(addresses: readonly string[]): boolean {
  return addresses.length > 0 && addresses.every((address) => kindOf(address) === "loopback");
}

function refuseForm({ protocol, username, password }: URL): void {
  if (protocol !== "http:" && protocol !== "https:") {
    throw new ForbiddenTarget(`calls by "${protocol}" are not allowed; http: and https: are`);
  }
  // URLs are shown in spans and results, and a name before an @ reads like a host.
  if (username !== "" || password !== "") {
    throw new ForbiddenTarget("a URL with a user or a password is not allowed; send them in a header");
  }
}

/** Without the brackets of IPv6, and without the dot that may end any name. */
function hostOf({ hostname }: URL): string {
  return hostname.replace(/^\[|\]$/g, "").replace(/\.$/, "");
}

export function kindOf(address: string): AddressKind {
  const plain = address.replace(/^::ffff:(?=\d+\.)/i, "");
  const family = isIP(plain) === 4 ? "ipv4" : "ipv6";
  if (loopback.check(plain, family)) return "loopback";
  if (reserved.check(plain, family)) return "reserved";
  if (privateRanges.check(plain, family)) return "private";
  return "public";
}

function matchesHost(rule: string, host: string): boolean {
  return rule.startsWith("*.") ? host.endsWith(rule.slice(1)) : rule === host;
}

function blockListOf(...ranges: string[]): BlockList {
  const list = new BlockList();
  for (const range of ranges) {
    const [network = "", prefix] = range.split("/");
    list.addSubnet(network, Number(prefix), network.includes(":") ? "ipv6" : "ipv4");
  }
  return list;
}
