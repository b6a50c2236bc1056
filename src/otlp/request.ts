/**
 * Batches of spans and of log records as the requests of OTLP, put together from items that were encoded before. The
 * messages of both signals have the same shape (opentelemetry-proto, collector/trace/v1 and collector/logs/v1).
 */

import type { Resource } from "@opentelemetry/resources";
import { ProtobufWriter } from "./protobuf-writer.ts";
import type { Scope } from "./shared-scopes.ts";
import { writeAttributes } from "./written-values.ts";

/** A span or a log record. */
export interface EncodedItem {
  resource: Resource;
  instrumentationScope: Scope;
  bytes: Uint8Array;
}

const requestField = { resources: 1 } as const;
const resourceField = { resource: 1, scopes: 2, schemaUrl: 3 } as const;
const scopeField = { scope: 1, items: 2, schemaUrl: 3 } as const;
const resource = { attributes: 1 } as const;
const scope = { name: 1, version: 2 } as const;

/** For what is around the items, and for the tag and the length of each. */
const roomAround = 4096;
const roomOfItem = 8;

export function toRequest(items: readonly EncodedItem[]): Uint8Array {
  const size = items.reduce((sum, { bytes }) => sum + bytes.length + roomOfItem, roomAround);
  const to = new ProtobufWriter(size);
  for (const [from, ofResource] of Map.groupBy(items, (item) => item.resource)) {
    const start = to.open(requestField.resources);
    const own = to.open(resourceField.resource);
    writeAttributes(to, resource.attributes, from.attributes);
    to.close(own);
    for (const [by, ofScope] of Map.groupBy(ofResource, (item) => item.instrumentationScope)) {
      writeScopeItems(to, by, ofScope);
    }
    to.text(resourceField.schemaUrl, from.schemaUrl ?? "");
    to.close(start);
  }
  return to.take();
}

function writeScopeItems(to: ProtobufWriter, by: Scope, items: readonly EncodedItem[]): void {
  const start = to.open(resourceField.scopes);
  const own = to.open(scopeField.scope);
  to.text(scope.name, by.name);
  to.text(scope.version, by.version ?? "");
  to.close(own);
  for (const { bytes } of items) to.raw(scopeField.items, bytes);
  to.text(scopeField.schemaUrl, by.schemaUrl ?? "");
  to.close(start);
}
