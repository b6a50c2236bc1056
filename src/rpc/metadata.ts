/** What travels beside a call besides trace context: who asks, for the whole way of a request. */

export interface CallMetadata {
  correlationId: string;
  requestId: string;
}

export const correlationHeader = "x-correlation-id";
export const requestIdHeader = "x-request-id";
/** In seconds, with an error that passes. */
export const retryAfterHeader = "retry-after";

/** UUIDs too. */
const correlationPattern = /^[A-Za-z0-9._-]{1,64}$/;
/** Visible ASCII, as every log and header can carry it. */
const requestIdPattern = /^[\x21-\x7e]{1,128}$/;

/** The caller's, when it is harmless. */
export function keptCorrelationId(header: string | null | undefined): string | undefined {
  return header != null && correlationPattern.test(header) ? header : undefined;
}

export function keptRequestId(header: string | null | undefined): string | undefined {
  return header != null && requestIdPattern.test(header) ? header : undefined;
}
