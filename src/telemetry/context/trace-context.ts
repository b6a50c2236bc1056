/**
 * W3C Trace Context Level 2: the headers `traceparent` (section 3.2) and `tracestate` (section 3.3). The SDK's own class
 * of the latter still has the keys of level 1, keeps the good part of a list that has to be discarded, and refuses a new
 * member when there are 512 characters already.
 */

import type { SpanContext, TraceState } from "@opentelemetry/api";
import { ValidSpanContext } from "./with-span.ts";

/** The flags of version 00, level 2; all others are sent as 0. */
export const sampledFlag = 0x01;
/** The rightmost 7 bytes of the trace id are random. */
export const randomFlag = 0x02;
const knownFlags = sampledFlag | randomFlag;

/** Version, trace id, span id, flags, and what a version after 00 may add. */
const pattern = /^(?!ff)([\da-f]{2})-(?!0{32})([\da-f]{32})-(?!0{16})([\da-f]{16})-([\da-f]{2})(-[^,]*)?$/;

/**
 * The remote span that `text` names; undefined when it is not valid, which starts a new trace. Several headers come
 * joined with commas, and are not valid. Of a later version the ids and the sampled flag are read, and no more.
 */
export function parseTraceparent(text: string): SpanContext | undefined {
  if (isUsual(text)) return remoteSpan(text.slice(3, 35), text.slice(36, 52), text.charCodeAt(54) & knownFlags);
  const [, version, traceId, spanId, flags, rest] = pattern.exec(trimOws(text)) ?? [];
  if (traceId === undefined || spanId === undefined || flags === undefined) return undefined;
  if (version === "00" && rest !== undefined) return undefined;
  const understood = version === "00" ? knownFlags : sampledFlag;
  return remoteSpan(traceId, spanId, Number.parseInt(flags, 16) & understood);
}

function remoteSpan(traceId: string, spanId: string, traceFlags: number): SpanContext {
  const span = new ValidSpanContext(traceId, spanId, traceFlags);
  span.isRemote = true;
  return span;
}

/** Valid, of version 00, with flags below 10, and nothing around it: as all of ours are. */
function isUsual(text: string): boolean {
  if (text.length !== 55 || !text.startsWith("00-") || text[35] !== "-" || text[52] !== "-" || text[53] !== "0") {
    return false;
  }
  const flags = text.charCodeAt(54);
  return flags >= 0x30 && flags <= 0x39 && isId(text, 3, 35) && isId(text, 36, 52);
}

/** Hexadecimal digits in lower case, of which one is not 0. */
function isId(text: string, start: number, end: number): boolean {
  let isSet = false;
  for (let at = start; at < end; at++) {
    const code = text.charCodeAt(at);
    if (code < 0x30 || code > 0x66 || (code > 0x39 && code < 0x61)) return false;
    isSet ||= code !== 0x30;
  }
  return isSet;
}

/** Also the form of `traceresponse`. */
export function formatTraceparent({ traceId, spanId, traceFlags }: SpanContext): string {
  return `00-${traceId}-${spanId}-0${traceFlags & knownFlags}`;
}

/** Without the spaces and tabs that may stand around a header's value (RFC 9110, "OWS"). */
export function trimOws(text: string): string {
  return text.replace(/^[ \t]+/, "").replace(/[ \t]+$/, "");
}

/** Throughline's own member: what its own roles have decided about the trace. */
export const ownMember = "throughline";

const maxMembers = 32;
/** What must be propagated at least, and is here at most, commas included. */
const maxLength = 512;
/** When there is more, longer members go first. */
const longMember = 128;

const keyPattern = /^[a-z\d][a-z\d_\-*/@]{0,255}$/;
const valuePattern = /^[\x20-\x2b\x2d-\x3c\x3e-\x7e]{0,255}[\x21-\x2b\x2d-\x3c\x3e-\x7e]$/;

type Member = readonly [key: string, value: string];

/** Immutable; the newest member first. */
class MemberList implements TraceState {
  readonly #members: readonly Member[];
  constructor(members: readonly Member[]) {
    this.#members = members;
  }
  get(key: string): string | undefined {
    return this.#members.find(([known]) => known === key)?.[1];
  }
  /** With the member at the front; what then is too much goes at the end. Unchanged when it is not valid. */
  set(key: string, value: string): TraceState {
    if (!keyPattern.test(key) || !valuePattern.test(value)) return this;
    const others = this.#members.filter(([known]) => known !== key).slice(0, maxMembers - 1);
    return new MemberList(withinLength([[key, value], ...others]));
  }
  unset(key: string): TraceState {
    return new MemberList(this.#members.filter(([known]) => known !== key));
  }
  serialize(): string {
    return this.#members.map(([key, value]) => `${key}=${value}`).join(",");
  }
}

export const emptyTraceState: TraceState = new MemberList([]);

/**
 * Undefined when there is none, or when any member is not valid: then the specification discards the whole list. Of
 * members with the same key the first one, which is the newest, is kept: a list that repeats a key is not valid either
 * (section 3.3.1.3), but the W3C test suite expects the list to be passed on with all or one of them.
 */
export function parseTraceState(text: string): TraceState | undefined {
  const members: Member[] = [];
  const keys = new Set<string>();
  for (const part of text.split(",")) {
    const member = trimOws(part);
    // Joined headers leave empty members behind.
    if (member === "") continue;
    const at = member.indexOf("=");
    const [key, value] = [member.slice(0, at), member.slice(at + 1)];
    if (at < 0 || !keyPattern.test(key) || !valuePattern.test(value)) return undefined;
    if (keys.has(key)) continue;
    if (keys.size === maxMembers) return undefined;
    keys.add(key);
    members.push([key, value]);
  }
  return members.length > 0 ? new MemberList(withinLength(members)) : undefined;
}

/** Whole members only; the long ones are dropped first, then the last ones. */
function withinLength(members: readonly Member[]): readonly Member[] {
  const lengthOf = ([key, value]: Member): number => key.length + 1 + value.length;
  const kept = [...members];
  let length = kept.reduce((sum, member) => sum + lengthOf(member) + 1, -1);
  while (length > maxLength && kept.length > 0) {
    const lastLong = kept.findLastIndex((member) => lengthOf(member) > longMember);
    const [dropped] = kept.splice(lastLong < 0 ? kept.length - 1 : lastLong, 1);
    if (dropped) length -= lengthOf(dropped) + 1;
  }
  return kept;
}
