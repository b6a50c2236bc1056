/**
 * What does not fit of a payload, by the JSON Schema of its type: asked by the task service before it takes a task, and by
 * the console's page before it sends one. Pure. The validator reads the schema as it goes: no code is made of what is,
 * after all, data from another process.
 */

import { type OutputUnit, type Schema, Validator } from "@cfworker/json-schema";
import type { FieldProblem } from "../words/errors.ts";
import { toPointer } from "../words/json-text.ts";

const maxProblems = 20;
/** These only say that something further in does not fit, which tells it itself. */
const outerKeywords = new Set([
  "properties",
  "items",
  "prefixItems",
  "additionalProperties",
  "patternProperties",
  "$ref",
]);

/** `text`: JSON text, draft 2020-12. Throws when it is no JSON. */
export function toPayloadValidator(text: string): Validator {
  const schema: Schema | boolean = JSON.parse(text);
  return new Validator(schema, "2020-12", false);
}

/** Each place once, with the first thing that is wrong there. Throws when the schema leads nowhere. */
export function toPayloadProblems(validator: Validator, payload: unknown): FieldProblem[] {
  const { valid, errors } = validator.validate(payload);
  if (valid) return [];
  const inner = errors.filter(({ keyword }) => !outerKeywords.has(keyword));
  const problems = new Map<string, FieldProblem>();
  for (const problem of (inner.length > 0 ? inner : errors).map(toProblem)) {
    if (problems.size < maxProblems && !problems.has(problem.pointer)) problems.set(problem.pointer, problem);
  }
  return [...problems.values()];
}

/** `#/to`, a pointer as a URI fragment, becomes `/payload/to`; of a field that is missing it is the field's own. */
function toProblem({ instanceLocation, keyword, error }: OutputUnit): FieldProblem {
  const place = `/payload${decodeFragment(instanceLocation.slice(1))}`;
  const missing = keyword === "required" ? /required property "(.*)"/.exec(error)?.[1] : undefined;
  if (missing !== undefined) return { pointer: place + toPointer([missing]), detail: "is required" };
  if (keyword === "false") return { pointer: place, detail: "unknown field" };
  return { pointer: place, detail: error.replace(/\.$/, "") };
}

function decodeFragment(fragment: string): string {
  try {
    return decodeURIComponent(fragment);
  } catch {
    return fragment;
  }
}
