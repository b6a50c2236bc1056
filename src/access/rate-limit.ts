/**
 * How much each caller may ask of this gateway, or this console: a number of requests in a fixed window, counted in memory. Keys have
 * their own; without one an address counts, IPv6 by its network, of which one customer has all. What is over when a
 * window ends is forgotten, and so is who came.
 */

import { isIPv6 } from "node:net";
import type { RateLimiterMemory, RateLimiterRes } from "rate-limiter-flexible";
import type { Clock } from "../limits/clock.ts";
import type { Rate } from "../settings/parsers.ts";
import { TaskError } from "../words/errors.ts";
import type { Caller } from "./caller.ts";

/** What is left for a caller, once something was taken. */
export interface Allowance {
  /** Of whom: a key, or an address. */
  policy: "key" | "address";
  rate: Rate;
  remaining: number;
  /** Until all of it is there again. */
  resetMs: number;
  /** It was not enough. */
  isSpent: boolean;
}

interface RateLimits {
  /** undefined: the caller has no limit. */
  take(caller: Caller, address: string, count: number): Promise<Allowance> | undefined;
}

/** Addresses that are counted apart within a window. Later ones share one count. */
const maxAddresses = 50_000;

/** `usual`: for whom no key says otherwise; undefined: no limit. */
export function createRateLimits(usual: Rate | undefined, clock: Clock): RateLimits {
  /** Few: as many as there are different rates in the file of keys. */
  const limiters = new Map<string, Promise<Limiter>>();
  const limiterOf = (rate: Rate): Promise<Limiter> => {
    const name = `${rate.count}/${rate.windowSeconds}`;
    const limiter = limiters.get(name) ?? createLimiter(rate);
    limiters.set(name, limiter);
    return limiter;
  };
  const nameOf = createAddressNames(clock, usual?.windowSeconds ?? 1);

  return {
    take: (caller, address, count) => {
      const isKey = caller.kind === "known";
      const rate = isKey ? (caller.key.rate ?? usual) : usual;
      if (!rate) return undefined;
      const name = isKey ? `key ${caller.key.id}` : nameOf(address);
      return limiterOf(rate)
        .then((take) => take(name, count))
        .then((taken) => ({ policy: isKey ? "key" : "address", rate, ...taken }));
    },
  };
}

/** Throws `resource_exhausted` when the caller has asked for more than it may. `count`: what was asked for at once. */
export function refuseSpent({ policy, rate, resetMs, isSpent }: Allowance, count: number): void {
  if (!isSpent) return;
  const allowed = `${rate.count} in ${rate.windowSeconds} s for each ${policy === "key" ? "API key" : "client address"}`;
  const never = count > rate.count ? "; so many at once are never allowed, ask for fewer" : "";
  throw new TaskError("resource_exhausted", `too many requests: allowed are ${allowed}${never}`, {
    retryAfterMs: Math.max(1, resetMs),
  });
}

/** draft-ietf-httpapi-ratelimit-headers-10: what there is in all, and what is left of it. */
export function setRateLimitHeaders(headers: Headers, { policy, rate, remaining, resetMs }: Allowance): void {
  headers.set("ratelimit-policy", `"${policy}";q=${rate.count};w=${rate.windowSeconds}`);
  headers.set("ratelimit", `"${policy}";r=${remaining};t=${Math.ceil(resetMs / 1000)}`);
}

type Limiter = (name: string, count: number) => Promise<Pick<Allowance, "remaining" | "resetMs" | "isSpent">>;

/** Its library is loaded by those alone who use it: it has a file for each database that could count. */
async function createLimiter({ count: points, windowSeconds: duration }: Rate): Promise<Limiter> {
  const library = await import("rate-limiter-flexible");
  const limiter: RateLimiterMemory = new library.RateLimiterMemory({ points, duration });
  const toTaken = ({ remainingPoints: remaining, msBeforeNext: resetMs }: RateLimiterRes, isSpent: boolean) => {
    return { remaining, resetMs, isSpent };
  };
  return async (name, count) => {
    try {
      return toTaken(await limiter.consume(name, count), false);
    } catch (thrown) {
      // It rejects with the same figures when they do not suffice.
      if (!(thrown instanceof library.RateLimiterRes)) throw thrown;
      // It has counted them all the same: many that were refused at once do not use up what fewer could have.
      return toTaken(count > 1 ? await limiter.reward(name, count) : thrown, true);
    }
  };
}

/** Under which name an address is counted: bounded, since a caller with many addresses would have as many names. */
function createAddressNames(clock: Clock, windowSeconds: number): (address: string) => string {
  let names = new Set<string>();
  let sinceMs = clock.monotonicMs();
  return (address) => {
    const nowMs = clock.monotonicMs();
    if (nowMs - sinceMs >= windowSeconds * 1000) {
      names = new Set();
      sinceMs = nowMs;
    }
    const name = networkOf(address);
    if (!names.has(name) && names.size >= maxAddresses) return "address of the others";
    names.add(name);
    return `address ${name}`;
  };
}

/** An IPv4 address as it is, an IPv6 address as its network of 64 bits. */
export function networkOf(address: string): string {
  const plain = address.replace(/^::ffff:(?=\d+\.)/i, "");
  if (!isIPv6(plain)) return plain;
  const [head = "", tail] = plain.replace(/%.*$/, "").split("::");
  const groups = [head, tail ?? ""].map((part) => (part === "" ? [] : part.split(":")));
  const [before = [], after = []] = groups;
  const between = tail === undefined ? [] : new Array<string>(Math.max(0, 8 - before.length - after.length)).fill("0");
  const network = [...before, ...between, ...after].slice(0, 4).map((group) => Number.parseInt(group, 16).toString(16));
  return `${network.join(":")}::/64`;
}

/** True for at most `perSecond` calls a second. */
export function createTokenBucket(clock: Clock, perSecond: number): () => boolean {
  let tokens = perSecond;
  let filledAtMs = clock.monotonicMs();
  return () => {
    const nowMs = clock.monotonicMs();
    tokens = Math.min(perSecond, tokens + ((nowMs - filledAtMs) / 1000) * perSecond);
    filledAtMs = nowMs;
    if (tokens < 1) return false;
    tokens -= 1;
    return true;
  };
}
