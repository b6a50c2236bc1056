/**
 * Refuses a payload that its type's handler would not take, by the JSON Schema that a worker has registered, so that
 * the caller learns it and not the dead letters. The handler's own schema is checked once more before it runs: it may
 * ask for more than JSON Schema can say, or be of another version.
 */

import type { Validator } from "@cfworker/json-schema";
import { toPayloadProblems, toPayloadValidator } from "../api/payload-problems.ts";
import type { TaskTypes } from "../store/ports/types.ts";
import { type FieldProblem, TaskError } from "../words/errors.ts";
import type { TaskType } from "../words/task.ts";

export interface PayloadChecks {
  /** Throws `invalid_argument` with a pointer for everything that does not fit. */
  check(type: TaskType, payload: unknown): Promise<void>;
}

/** As many validators as there are types with a schema: a newer one takes its predecessor's place. */
export function createPayloadChecks(types: Pick<TaskTypes, "findNewest">): PayloadChecks {
  const validators = new Map<string, { text: string | null; validator: Validator | undefined }>();

  const validatorOf = ({ type, payloadSchema: text }: TaskType): Validator | undefined => {
    const made = validators.get(type);
    if (made?.text === text) return made.validator;
    const validator = text === null ? undefined : toPayloadValidator(text);
    validators.set(type, { text, validator });
    return validator;
  };

  const problemsOf = (type: TaskType, payload: unknown): FieldProblem[] => {
    try {
      const validator = validatorOf(type);
      return validator ? toPayloadProblems(validator, payload) : [];
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
