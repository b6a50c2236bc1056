/** The header `traceparent`: W3C Trace Context Level 2, section 3.2. */

import type { SpanContext } from "@opentelemetry/api";

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
  const [, version, traceId, spanId, flags, rest] = pattern.exec(trimOws(text)) ?? [];
  if (traceId === undefined || spanId === undefined || flags === undefined) return undefined;
  if (version === "00" && rest !== undefined) return undefined;
  const understood = version === "00" ? knownFlags : sampledFlag;
  return { traceId, spanId, traceFlags: Number.parseInt(flags, 16) & understood, isRemote: true };
}

/** Also the form of `traceresponse`. */
export function formatTraceparent({ traceId, spanId, traceFlags }: SpanContext): string {
  return `00-${traceId}-${spanId}-0${traceFlags & knownFlags}`;
}

/** Without the spaces and tabs that may stand around a header's value (RFC 9110, "OWS"). */
export function trimOws(text: string): string {
  return text.replace(/^[ \t]+/, "").replace(/[ \t]+$/, "");
}
