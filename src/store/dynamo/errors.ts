/** The meaning of DynamoDB's errors for the store. */

import { TaskError } from "../../words/errors.ts";

/** The service has another call's transaction on the same item: to be tried again at once. */
const conflicts = new Set(["TransactionConflictException", "TransactionInProgressException"]);

/** The service answered, and refuses the request as invalid. */
const refusals = new Set(["ValidationException", "SerializationException", "ItemCollectionSizeLimitExceededException"]);

export function nameOf(error: unknown): string {
  return error instanceof Error ? error.name : "Error";
}

/** The service's own word for what was wrong, as it stands in `db.response.status_code`; undefined when it said none. */
export function serviceErrorOf(error: unknown): string | undefined {
  const cause = error instanceof TaskError ? error.cause : error;
  return cause instanceof Error && "$fault" in cause ? cause.name : undefined;
}

/** Of a write whose condition was not met. */
export const conditionException = "ConditionalCheckFailedException";

/** The code of a reason for which a transaction was canceled. */
export const conditionFailed = "ConditionalCheckFailed";

export function isConflict(error: unknown): boolean {
  if (conflicts.has(nameOf(error))) return true;
  const codes = reasonsOf(error).map(({ Code }) => Code);
  return codes.includes("TransactionConflict") && !codes.includes(conditionFailed);
}

export interface CancelReason {
  Code?: string;
  /** The item that did not meet its condition, as it went over the wire. */
  Item?: Record<string, unknown>;
}

/** One reason for each part of a canceled transaction, in its order; none of any other error. */
export function reasonsOf(error: unknown): CancelReason[] {
  if (!(error instanceof Error) || !("CancellationReasons" in error)) return [];
  return Array.isArray(error.CancellationReasons) ? error.CancellationReasons : [];
}

/**
 * An item may have 400 KB (DynamoDB, "Service quotas"); this update would have made it larger. The service has no code of
 * its own for that, so that its text has to tell it from other validation errors.
 */
export function isItemFull(error: unknown): boolean {
  const cause = error instanceof TaskError ? error.cause : error;
  return cause instanceof Error && cause.name === "ValidationException" && /item size/i.test(cause.message);
}

/** Any error that is not a refusal of the request means that the table is unavailable now. */
export function toStoreError(error: unknown, doing: string): TaskError {
  if (error instanceof TaskError) return error;
  const name = nameOf(error);
  const reason = error instanceof Error ? error.message || name : String(error);
  const code = refusals.has(name) ? "internal" : "unavailable";
  const hint = name === "ResourceNotFoundException" ? ": throughline setup makes the table" : "";
  return new TaskError(code, `could not ${doing}: ${name}: ${reason}${hint}`, { cause: error });
}

export function alreadyThere(noun: "task" | "redrive", id: string): TaskError {
  return new TaskError("internal", `the store refused: there is a ${noun} "${id}" already`);
}
