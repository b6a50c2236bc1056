/** What travels beside a call besides trace context: who asks, for the whole way of a request. */

export interface CallMetadata {
  correlationId: string;
  requestId: string;
}

export const correlationHeader = "x-correlation-id";
export const requestIdHeader = "x-request-id";
export const timeoutHeader = "connect-timeout-ms";
