/** An example of what a schema describes, from the examples of its parts. */

import { type DocumentShown, nameOf, type SchemaShown } from "./document.ts";

export function exampleOf(schema: SchemaShown, schemas: DocumentShown["components"]["schemas"]): unknown {
  const { $ref, examples, anyOf, items, properties } = schema;
  if (examples) return examples[0];
  if ($ref !== undefined) return exampleOf(schemas[nameOf($ref)] ?? {}, schemas);
  if ("const" in schema) return schema.const;
  if (schema.enum) return schema.enum[0];
  if (anyOf) return anyOf.some(isNull) ? null : exampleOf(anyOf[0] ?? {}, schemas);
  if (items) return [exampleOf(items, schemas)];
  if (properties) {
    return Object.fromEntries(Object.entries(properties).map(([name, part]) => [name, exampleOf(part, schemas)]));
  }
  return exampleOfType(schema);
}

function isNull({ type }: SchemaShown): boolean {
  return type === "null";
}

function exampleOfType({ type, minimum }: SchemaShown): unknown {
  if (Array.isArray(type)) return type.includes("null") ? null : exampleOfType({ type: type[0] });
  switch (type) {
    case "integer":
    case "number":
      return minimum ?? 0;
    case "boolean":
      return true;
    case "string":
      return "…";
    case "object":
      return {};
    default:
      return null;
  }
}
