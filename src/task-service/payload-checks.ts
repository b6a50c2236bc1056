/**
 * Refuses a payload that its type's handler would not take, by the JSON Schema that a worker has registered, so that
 * the caller learns it and not the dead letters. The handler's own schema is checked once more before it runs: it may
 * ask for more than JSON Schema can say, or be of another version.
 *
 * The validator reads the schema as it goes: no code is made of what is, after all, data from another process.
 */

import { type OutputUnit, type Schema, Validator } from "@cfworker/json-schema";
import { type FieldProblem, TaskError } from "../errors.ts";
import type { TaskTypes } from "../store/task-types.ts";
import type { TaskType } from "../task.ts";

export interface PayloadChecks {
  /** Throws `invalid_argument` with a pointer for everything that does not fit. */
  check(type: TaskType, payload: unknown): Promise<void>;
}

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

/** As many validators as there are types with a schema: a newer one takes its predecessor's place. */
export function createPayloadChecks(types: Pick<TaskTypes, "findNewest">): PayloadChecks {
  const validators = new Map<string, { text: string | null; validator: Validator | undefined }>();

  const validatorOf = ({ type, payloadSchema: text }: TaskType): Validator | undefined => {
    const made = validators.get(type);
    if (made?.text === text) return made.validator;
    const validator = toValidator(text);
    validators.set(type, { text, validator });
    return validator;
  };

  const problemsOf = (type: TaskType, payload: unknown): FieldProblem[] => {
    try {
      const result = validatorOf(type)?.validate(payload);
      return result?.valid === false ? toProblems(result.errors) : [];
    } catch {
      // A schema that leads nowhere refuses nothing; the handler's own check does.
      return [];
    }
  };

  return {
    check: async (type, payload) => {
      if (problemsOf(type, payload).length === 0) return;
      // A handler of a newer version may take it.
      const newest = await types.findNewest(type.type);
      const problems = newest ? problemsOf(newest, payload) : [];
      const [first] = problems;
      if (!first) return;
      const detail = `the payload does not fit tasks of type "${type.type}": ${first.pointer}: ${first.detail}`;
      throw new TaskError("invalid_argument", detail, { problems });
    },
  };
}

function toValidator(text: string | null): Validator | undefined {
  if (text === null) return undefined;
  const schema: Schema | boolean = JSON.parse(text);
  return new Validator(schema, "2020-12", false);
}

/** Each place once, with the first thing that is wrong there. */
function toProblems(errors: readonly OutputUnit[]): FieldProblem[] {
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
  if (missing !== undefined) return { pointer: `${place}/${escapeName(missing)}`, detail: "is required" };
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

/** RFC 6901. */
function escapeName(name: string): string {
  return name.replaceAll("~", "~0").replaceAll("/", "~1");
}
