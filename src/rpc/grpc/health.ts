/** `grpc.health.v1.Health`: whether this server takes calls (github.com/grpc/grpc-proto, grpc/health/v1/health.proto). */

import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import {
  type ServerUnaryCall,
  type ServerWritableStream,
  type sendUnaryData,
  status,
  type UntypedServiceImplementation,
} from "@grpc/grpc-js";
import {
  Health,
  HealthCheckRequestSchema,
  HealthCheckResponseSchema,
  HealthListResponseSchema,
  HealthCheckResponse_ServingStatus as Serving,
} from "../../gen/grpc/health/v1/health_pb.ts";
import { createAdmission } from "../../limits/concurrency.ts";
import { serviceName } from "../methods.ts";
import { definitionOf, refuseStream } from "./wire.ts";

export const healthCheckPath = `/${Health.typeName}/Check`;

/** Callers that watch it; each holds a stream. */
const maxWatches = 256;

/** The whole server, and the one service it is about. */
const knownServices = ["", serviceName];

/** `draining`: it aborts when the server takes no more calls. */
export function createHealthService(draining: AbortSignal) {
  const admitWatch = createAdmission(maxWatches, "watches of the health");
  const servingStatus = (): Serving => (draining.aborted ? Serving.NOT_SERVING : Serving.SERVING);

  const check = (call: ServerUnaryCall<Buffer, Uint8Array>, answer: sendUnaryData<Uint8Array>): void => {
    const service = serviceOf(call.request);
    if (knownServices.includes(service)) answer(null, toBytes(servingStatus()));
    else answer({ code: status.NOT_FOUND, details: `there is no service "${service}"` });
  };

  const list = (_call: ServerUnaryCall<Buffer, Uint8Array>, answer: sendUnaryData<Uint8Array>): void => {
    const serving = create(HealthCheckResponseSchema, { status: servingStatus() });
    const statuses = Object.fromEntries(knownServices.map((service) => [service, serving]));
    answer(null, toBinary(HealthListResponseSchema, create(HealthListResponseSchema, { statuses })));
  };

  /** The status now and when it changes, which it does once: then the stream ends. */
  const watch = (call: ServerWritableStream<Buffer, Uint8Array>): void => {
    const service = serviceOf(call.request);
    const isKnown = knownServices.includes(service);
    const watching = admitWatch(async () => {
      call.write(toBytes(isKnown ? servingStatus() : Serving.SERVICE_UNKNOWN));
      await firstOf(call, draining);
      if (isKnown) call.write(toBytes(servingStatus()));
      call.end();
    });
    watching.catch((error) => refuseStream(call, error));
  };

  const implementation: UntypedServiceImplementation = { Check: check, List: list, Watch: watch };
  return { definition: definitionOf(Health), implementation };
}

/** Resolves when the stream's caller goes away, or the signal aborts. */
function firstOf(call: ServerWritableStream<Buffer, Uint8Array>, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted || call.cancelled) return resolve();
    const done = (): void => {
      signal.removeEventListener("abort", done);
      resolve();
    };
    signal.addEventListener("abort", done);
    call.once("cancelled", done);
  });
}

/** Empty, the whole server, when the request cannot be read. */
function serviceOf(request: Buffer): string {
  try {
    return fromBinary(HealthCheckRequestSchema, request).service;
  } catch {
    return "";
  }
}

function toBytes(serving: Serving): Uint8Array {
  return toBinary(HealthCheckResponseSchema, create(HealthCheckResponseSchema, { status: serving }));
}
