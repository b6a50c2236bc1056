/**
 * Where the `http` task may call. Every address that the name resolves to must be of an allowed kind; redirects are not
 * followed. Link-local addresses, where clouds keep their credentials, are never allowed by kind.
 */

import { lookup } from "node:dns/promises";
import { BlockList, isIP } from "node:net";
import type { HandlerContext } from "./handler.ts";

const loopback = blockListOf("127.0.0.0/8", "::1/128");
const privateRanges = blockListOf("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "fc00::/7");
/** IANA special-purpose registries: neither public nor anybody's private network, or turned into another on the way. */
const reserved = blockListOf(
  "0.0.0.0/8",
  "169.254.0.0/16",
  "192.0.0.0/24",
  "192.0.2.0/24",
  "198.18.0.0/15",
  "198.51.100.0/24",
  "203.0.113.0/24",
  "224.0.0.0/3",
  "::/96",
  "64:ff9b::/96",
  "64:ff9b:1::/48",
  "100::/64",
  "2001::/32",
  "2001:db8::/32",
  "2002::/16",
  "3fff::/20",
  "5f00::/16",
  "fe80::/10",
  "ff00::/8",
);

type AddressKind = "public" | "loopback" | "private" | "reserved";

/** Throws fatally when `allow` (kinds, or host patterns such as `*.example.com`) does not allow the URL. */
export async function refuseForbiddenUrl(url: URL, allow: readonly string[], ctx: HandlerContext): Promise<void> {
  const host = url.hostname.replace(/^\[|\]$/g, "");
  if (allow.some((rule) => matchesHost(rule, host))) return;
  const addresses = isIP(host) ? [host] : (await lookup(host, { all: true })).map(({ address }) => address);
  for (const address of addresses) {
    const kind = kindOf(address);
    if (!allow.includes(kind)) {
      throw ctx.fatal(`calls to ${kind} addresses are not allowed (${host}); --http-allow says which are`);
    }
  }
}

export function kindOf(address: string): AddressKind {
  const plain = address.replace(/^::ffff:(?=\d+\.)/i, "");
  const family = isIP(plain) === 4 ? "ipv4" : "ipv6";
  if (loopback.check(plain, family)) return "loopback";
  if (privateRanges.check(plain, family)) return "private";
  if (reserved.check(plain, family)) return "reserved";
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
