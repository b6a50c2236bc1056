/** A schema as people read it: each field with its type in words, its limits, and what it means. */

import { html } from "hono/html";
import { nameOf, type SchemaShown } from "./document.ts";

export type Html = ReturnType<typeof html>;

/** The fields of an object; of anything else what it is. */
export function showSchema(schema: SchemaShown): Html {
  const { properties, required = [] } = schema;
  if (!properties) return html`<p>${typeOf(schema)}</p>`;
  return html`<dl class="fields">${Object.entries(properties).map(([name, part]) =>
    showField(name, part, required.includes(name)),
  )}</dl>`;
}

/** A field, a parameter, or a header: its name, its type, what it means, and the fields within it. */
export function showField(name: string, schema: SchemaShown, isRequired: boolean): Html {
  const inner = schema.items?.properties ? schema.items : schema;
  const limits = limitsOf(schema);
  return html`<dt><code>${name}</code> <span class="type">${typeOf(schema)}</span>${
    isRequired ? "" : html` <span class="optional">optional</span>`
  }</dt>
<dd>${showText(schema.description ?? "")}${limits === "" ? "" : html` <span class="limits">${limits}</span>`}${showExample(schema)}${
    inner.properties ? showSchema(inner) : ""
  }</dd>`;
}

/** Of a text, which tells more than its type. */
function showExample({ examples: [example] = [] }: SchemaShown): Html | "" {
  return typeof example === "string" ? html` <span class="example">Such as <code>${example}</code>.</span>` : "";
}

/** A sentence in which backquotes mark what is code. */
export function showText(text: string): Html[] {
  return text.split("`").map((part, at) => (at % 2 === 1 ? html`<code>${part}</code>` : html`${part}`));
}

/** `array of Task`, `text or null`; what has a name is a link to it. */
export function typeOf(schema: SchemaShown): Html {
  const { $ref, type, anyOf, items, additionalProperties } = schema;
  if ($ref !== undefined) return html`<a href="#schema-${nameOf($ref)}">${nameOf($ref)}</a>`;
  if (anyOf) return html`${joined(anyOf.map(typeOf))}`;
  if (schema.enum) return html`${joined(schema.enum.map((value) => html`<code>${JSON.stringify(value)}</code>`))}`;
  if ("const" in schema) return html`<code>${JSON.stringify(schema.const)}</code>`;
  if (Array.isArray(type)) return html`${joined(type.map((one) => typeOf({ ...schema, type: one })))}`;
  if (type === "array") return html`array of ${typeOf(items ?? {})}`;
  if (type === "object" && typeof additionalProperties === "object") {
    return html`object with values of ${typeOf(additionalProperties)}`;
  }
  if (type === "string") return html`${schema.format ?? "string"}`;
  return html`${type ?? "any JSON"}`;
}

function joined(parts: readonly Html[]): Html[] {
  return parts.map((part, at) => (at === 0 ? part : html` or ${part}`));
}

function limitsOf(schema: SchemaShown): string {
  const { minimum, maximum, minLength, maxLength, minItems, maxItems, maxProperties } = schema;
  return [
    range(minimum, maximum, ""),
    range(minLength, maxLength, " characters"),
    range(minItems, maxItems, " items"),
    range(undefined, maxProperties, " entries"),
  ]
    .filter((limit) => limit !== "")
    .join(", ");
}

function range(least: number | undefined, most: number | undefined, what: string): string {
  if (most === undefined) return least === undefined || least === 0 ? "" : `at least ${least}${what}`;
  return least === undefined ? `at most ${most}${what}` : `${least} to ${most}${what}`;
}
