/** Who speaks: the resource that every span, metric and log record of one role carries. */

import { hostname } from "node:os";
import {
  defaultResource,
  detectResources,
  envDetector,
  type Resource,
  resourceFromAttributes,
} from "@opentelemetry/resources";
import type { Config } from "../config.ts";
import { runtime } from "../host/runtime.ts";
import { productVersion } from "../version.ts";
import { key } from "./names.ts";

export function createResource(service: string, config: Config): Resource {
  const own = resourceFromAttributes({
    [key.serviceName]: config.otel.serviceName && config.role.length === 1 ? config.otel.serviceName : service,
    [key.serviceNamespace]: "throughline",
    [key.serviceVersion]: productVersion,
    [key.serviceInstanceId]: crypto.randomUUID(),
    [key.deploymentEnvironmentName]: config.environment,
    [key.processPid]: process.pid,
    [key.processRuntimeName]: runtime.name,
    [key.processRuntimeVersion]: runtime.version,
    [key.hostName]: hostname(),
  });
  return defaultResource()
    .merge(detectResources({ detectors: [envDetector] }))
    .merge(own);
}
