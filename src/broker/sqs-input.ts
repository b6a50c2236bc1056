/** Members of a request's JSON, read by their types. What is wrong with one is said in SQS's words. */

import { invalidParameter, SqsError } from "./sqs-error.ts";

export type Input = Readonly<Record<string, unknown>>;

export function isInput(value: unknown): value is Input {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** Undefined when it is not there, or null. */
export function textOf(input: Input, name: string): string | undefined {
  const value = input[name];
  if (value === undefined || value === null) return undefined;
  if (typeof value !== "string") throw unreadable(name, "a string");
  return value;
}

export function requiredText(input: Input, name: string): string {
  const text = textOf(input, name);
  if (text === undefined || text === "") throw missing(name);
  return text;
}

export function missing(name: string): SqsError {
  return new SqsError("MissingParameter", `The request must contain the parameter ${name}.`);
}

interface Range {
  min: number;
  max: number;
  reason: string;
}

/** A whole number in the range, or undefined. */
export function integerOf(input: Input, name: string, { min, max, reason }: Range): number | undefined {
  const value = input[name];
  if (value === undefined || value === null) return undefined;
  if (typeof value !== "number" || !Number.isInteger(value)) throw unreadable(name, "an integer");
  if (value < min || value > max) throw invalidParameter(value, name, reason);
  return value;
}

/** Empty when it is not there. */
export function textsOf(input: Input, name: string): readonly string[] {
  const value = input[name];
  if (value === undefined || value === null) return [];
  if (!Array.isArray(value) || !value.every((item) => typeof item === "string")) {
    throw unreadable(name, "a list of strings");
  }
  return value;
}

/** Undefined when it is not there. */
export function mapOf(input: Input, name: string): Input | undefined {
  const value = input[name];
  if (value === undefined || value === null) return undefined;
  if (!isInput(value)) throw unreadable(name, "a map");
  return value;
}

export function unreadable(name: string, expected: string): SqsError {
  return new SqsError("SerializationException", `${name}: expected ${expected}`);
}

/** Letters, digits, hyphens and underscores, and what `more` has; at least one of them, and `most` at most. */
export function isWord(text: string, most: number, more = ""): boolean {
  if (text.length === 0 || text.length > most) return false;
  for (let at = 0; at < text.length; at += 1) {
    const code = text.charCodeAt(at);
    const isLetter = (code | 32) >= 97 && (code | 32) <= 122;
    const isOther = (code >= 48 && code <= 57) || code === 45 || code === 95;
    if (!isLetter && !isOther && !more.includes(text.charAt(at))) return false;
  }
  return true;
}
