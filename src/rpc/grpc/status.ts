/** The status of a call as gRPC names and counts it (grpc.io/docs/guides/status-codes). Needs no library. */

import type { RpcCode } from "../../words/errors.ts";
import type { Wire } from "../call.ts";

/** In gRPC's order: the place is the number. */
const codes: readonly (RpcCode | "ok")[] = [
  "ok",
  "canceled",
  "unknown",
  "invalid_argument",
  "deadline_exceeded",
  "not_found",
  "already_exists",
  "permission_denied",
  "resource_exhausted",
  "failed_precondition",
  "aborted",
  "out_of_range",
  "unimplemented",
  "internal",
  "unavailable",
  "data_loss",
  "unauthenticated",
];

export function toStatusNumber(code: RpcCode | "ok"): number {
  return codes.indexOf(code);
}

/** What nobody has defined is `unknown`. */
export function fromStatusNumber(number: number): RpcCode | "ok" {
  return codes[number] ?? "unknown";
}

/** The protocol in spans. Connect spells one code as Americans do. */
export const grpcWire: Wire = {
  systemName: "grpc",
  statusOf: (code) => (code === "canceled" ? "CANCELLED" : code.toUpperCase()),
};
