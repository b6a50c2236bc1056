/**
 * What a handler returned, as JSON text. `JSON.stringify` writes `{}` for a Map, a promise or an error, and `null` for NaN:
 * a result that is not what the handler returned. Here each of them is refused with its place. What JSON leaves out by
 * custom stays left out (a member that is undefined, the time zone of a Date), and the walk ends at a bound, however large
 * or round the value is.
 */

import { toFailure } from "../../words/errors.ts";
import { JsonText, toPointer } from "../../words/json-text.ts";
import { isError, isInstance, tagOf } from "../../words/text.ts";

/** No other attempt returns anything else, so this is fatal. */
export class ResultError extends Error {
  override readonly name = "ResultError";
  readonly code: "invalid_result" | "result_too_large";
  constructor(code: ResultError["code"], message: string) {
    super(message);
    this.code = code;
  }
}

interface ResultText {
  /** JSON. */
  text: string;
  /** JSON pointers (RFC 6901) of values that JSON leaves out, or has null for; the first few. */
  leftOut: string[];
}

/** Levels, as the payload of a task may have over HTTP: the RPC carries this many by every protocol. */
export const maxResultDepth = 64;
const maxLeftOut = 5;
/** A result is measured up to this many times its limit, to say how large it is. */
const measuredFactor = 8;

/** What to return in place of what JSON has no form for, by its tag. */
const remedies: Record<string, string> = {
  Map: "return Object.fromEntries(map)",
  Set: "return [...set]",
  Promise: "await it",
  Error: "throw it, or return its message",
  Response: "return what its json() or text() gives",
  Uint8Array: "return it as base64",
  Generator: "return [...it]",
  AsyncGenerator: "return await Array.fromAsync(it)",
};

/** Throws `ResultError` when JSON cannot hold the value, or its text has more than `maxBytes`. */
export function toResultText(value: unknown, maxBytes: number): ResultText {
  const writer = new ResultWriter(maxBytes * measuredFactor);
  let text: string;
  try {
    text = writer.write(value) ?? writer.refuseMissing(value);
  } catch (thrown) {
    throw isInstance(thrown, ResultError) ? thrown : writer.refusal(`cannot be read: ${toFailure(thrown).message}`);
  }
  const isLong = text.length * 3 > maxBytes;
  if (isLong && Buffer.byteLength(text) > maxBytes) throw tooLarge(String(Buffer.byteLength(text)), maxBytes);
  return { text, leftOut: writer.leftOut };
}

function tooLarge(bytes: string, maxBytes: number): ResultError {
  return new ResultError(
    "result_too_large",
    `the result has ${bytes} bytes of JSON, and --max-result allows ${maxBytes}: store it elsewhere and return where it is`,
  );
}

/** Writes one value as JSON text, and keeps what it left out of it. */
class ResultWriter {
  readonly #maxLength: number;
  /** Of the value that is being written. */
  readonly #path: (string | number)[] = [];
  /** The objects that it is in. */
  readonly #around: object[] = [];
  /** JSON pointers of members that JSON has nothing for. */
  readonly leftOut: string[] = [];
  #length = 0;

  constructor(maxLength: number) {
    this.#maxLength = maxLength;
  }

  refusal(why: string): ResultError {
    const place = this.#path.length === 0 ? "it" : `what is at ${toPointer(this.#path)}`;
    return new ResultError("invalid_result", `the result cannot be kept as JSON: ${place} ${why}`);
  }

  #leaf(text: string): string {
    this.#length += text.length;
    if (this.#length > this.#maxLength)
      throw tooLarge(`more than ${this.#maxLength}`, this.#maxLength / measuredFactor);
    return text;
  }

  /** undefined: JSON has nothing for it (undefined, a function, a symbol). */
  write(value: unknown): string | undefined {
    if (value instanceof JsonText) return this.#leaf(value.text);
    switch (typeof value) {
      case "string":
        return this.#leaf(quote(value));
      case "number":
        if (!Number.isFinite(value))
          throw this.refusal(`is ${value}, which JSON has no number for: return null or a text`);
        return this.#leaf(value === 0 ? "0" : String(value));
      case "boolean":
        return this.#leaf(value ? "true" : "false");
      case "undefined":
      case "symbol":
        return undefined;
      case "object":
        if (value === null) return this.#leaf("null");
        if (Array.isArray(value) || isPlainObject(value)) {
          return "toJSON" in value ? this.#writeConverted(value) : this.#writeObject(value, true);
        }
        return this.#writeConverted(value);
      default:
        return this.#writeConverted(Object(value));
    }
  }

  /** As `JSON.stringify` begins: what `toJSON` gives, and what a wrapper object holds. */
  #writeConverted(value: object): string | undefined {
    if (value instanceof Date && Number.isNaN(value.getTime())) throw this.refusal("is an invalid Date");
    const toJSON: unknown = Reflect.get(value, "toJSON");
    if (typeof toJSON === "function") {
      const given: unknown = toJSON.call(value, String(this.#path.at(-1) ?? ""));
      if (typeof given !== "object" || given === null) return this.write(given);
      return this.#writeObject(given, Array.isArray(given) || isPlainObject(given));
    }
    const tag = tagOf(value);
    if (tag === "BigInt") throw this.refusal("is a bigint: return String(value), or Number(value)");
    if (tag === "Number" || tag === "String" || tag === "Boolean") return this.write(value.valueOf());
    return typeof value === "function" ? undefined : this.#writeObject(value, isPlainObject(value));
  }

  #writeObject(value: object, isPlain: boolean): string {
    if (this.#around.length === maxResultDepth) throw this.refusal(`is more than ${maxResultDepth} levels deep`);
    if (this.#around.includes(value)) throw this.refusal("leads back to itself");
    this.#around.push(value);
    const text = Array.isArray(value) ? this.#writeArray(value) : this.#writeMembers(value, isPlain);
    this.#around.pop();
    return text;
  }

  #writeArray(values: readonly unknown[]): string {
    let text = this.#leaf("[");
    for (let index = 0; index < values.length; index++) {
      this.#path.push(index);
      const item = values[index];
      const written = this.write(item) ?? this.#writeMissing(item);
      text += index === 0 ? written : this.#leaf(",") + written;
      this.#path.pop();
    }
    return text + this.#leaf("]");
  }

  /** An item of a list has its place, so there is null in it. */
  #writeMissing(value: unknown): string {
    if (value !== undefined) throw this.refusal(describeMissing(value));
    this.#noteLeftOut();
    return this.#leaf("null");
  }

  #writeMembers(value: object, isPlain: boolean): string {
    if (!isPlain) this.#refuseUnwritable(value);
    let text = this.#leaf("{");
    let missing = 0;
    for (const name of Object.keys(value)) {
      this.#path.push(name);
      const member: unknown = Reflect.get(value, name);
      const written = this.write(member);
      if (written !== undefined) {
        if (!name.isWellFormed()) throw this.refusal("has half a surrogate pair in its name, which UTF-8 cannot carry");
        text += `${text === "{" ? "" : ","}${this.#leaf(quote(name))}:${written}`;
        this.#length += 2;
      } else if (member !== undefined) {
        if (name === "then") throw this.refusal("is a method of a promise: await it");
        missing += 1;
        this.#noteLeftOut();
      }
      this.#path.pop();
    }
    // Nothing is left of what it holds.
    const isLost = text === "{" && (!isPlain || missing > 0 || Object.getOwnPropertySymbols(value).length > 0);
    if (isLost) throw this.refusal(describe(value));
    return text + this.#leaf("}");
  }

  #refuseUnwritable(value: object): void {
    const tag = tagOf(value);
    const isThenable = typeof Reflect.get(value, "then") === "function";
    if (isThenable || isError(value) || ArrayBuffer.isView(value) || tag === "Map" || tag === "Set") {
      throw this.refusal(isThenable ? "is a promise: await it" : describe(value));
    }
  }

  #noteLeftOut(): void {
    if (this.leftOut.length < maxLeftOut) this.leftOut.push(toPointer(this.#path));
  }

  /** The whole result: a handler that returns nothing has the result null. */
  refuseMissing(value: unknown): string {
    if (value !== undefined) throw this.refusal(describeMissing(value));
    return "null";
  }
}

/** Of what JSON has nothing for. */
function describeMissing(value: unknown): string {
  return typeof value === "object" ? "is an object whose toJSON gives nothing that JSON has" : `is a ${typeof value}`;
}

function describe(value: object): string {
  const tag = isError(value) ? "Error" : tagOf(value);
  const made: unknown = Reflect.get(value, "constructor");
  const name = tag === "Object" && typeof made === "function" ? made.name : tag;
  const remedy = remedies[ArrayBuffer.isView(value) ? "Uint8Array" : tag] ?? "return what it holds as a plain object";
  return `is of the kind ${name}, of which JSON keeps nothing or not all: ${remedy}`;
}

/** Of any realm. */
function isPlainObject(value: object): boolean {
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null || Object.getPrototypeOf(prototype) === null;
}

/** No character that JSON escapes, or that may be half of one. */
const plainText = /^[\w .:/@+-]*$/;

function quote(text: string): string {
  return text.length < 64 && plainText.test(text) ? `"${text}"` : JSON.stringify(text.toWellFormed());
}
