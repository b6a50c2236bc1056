/** A task's metadata as attributes: only what a setting names, because it may be anything, personal data too. */

import type { Attributes } from "@opentelemetry/api";
import { ownKey } from "../names.ts";

/** `throughline.metadata.<key>` for each of the `shown` keys that the task has. */
export function metadataAttributes(metadata: Readonly<Record<string, string>>, shown: readonly string[]): Attributes {
  const attributes: Record<string, string> = {};
  for (const name of shown) {
    const value = Object.hasOwn(metadata, name) ? metadata[name] : undefined;
    if (value !== undefined) attributes[ownKey.metadata + name] = value;
  }
  return attributes;
}
