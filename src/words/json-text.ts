/**
 * JSON text, looked at before it is parsed: how deep it nests, and which of its numbers JavaScript cannot hold. Pure.
 *
 * A number is kept when the number that JavaScript prints in its place has the same decimal value: `0.1`, `1.50` and
 * `1e2` are, `9007199254740993`, `1e400` and `3.141592653589793238` are not. A number with a fraction or an exponent is
 * also kept when it is what `%.17g` prints of a double below 2^53, as C, .NET Framework and older databases write
 * doubles: `0.10000000000000001` is the double 0.1. The sign of a zero is not kept.
 */

import type { FieldProblem } from "./errors.ts";

type JsonTextFault = "too_deep" | "loses_numbers";

/** Every number of so many characters without an exponent keeps its digits: a double holds 15 of them (DBL_DIG). */
const alwaysKeptChars = 15;

/** One pass over the characters, tolerant of text that is not JSON. Depth is found before anything is built: the parser itself takes 90,000 levels. */
export function inspectJson(text: string, maxDepth: number): JsonTextFault | undefined {
  let depth = 0;
  let losesNumbers = false;
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code === quote) at = endOfText(text, at);
    else if (isDigit(code)) {
      const end = endOfNumber(text, at);
      losesNumbers ||= isLost(text, at, end);
      at = end - 1;
    } else if (code === 0x7b || code === 0x5b) {
      depth += 1;
      if (depth > maxDepth) return "too_deep";
    } else if (code === 0x7d || code === 0x5d) depth -= 1;
  }
  return losesNumbers ? "loses_numbers" : undefined;
}

/** An array or object that is open: the place in it that is read. */
type Open = { index: number } | { name: string; isNameNext: boolean };

/** The numbers of valid JSON text that JavaScript cannot hold, each with its JSON pointer (RFC 6901). */
export function* lostNumbers(text: string): Generator<FieldProblem> {
  const open: Open[] = [];
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at);
    const inner = open.at(-1);
    if (code === quote) {
      const end = endOfText(text, at);
      if (inner && "name" in inner && inner.isNameNext) {
        inner.name = JSON.parse(text.slice(at, end + 1));
        inner.isNameNext = false;
      }
      at = end;
    } else if (isDigit(code)) {
      const end = endOfNumber(text, at);
      if (isLost(text, at, end)) yield { pointer: pointerOf(open), detail: detailOf(text, at, end) };
      at = end - 1;
    } else if (code === 0x5b) open.push({ index: 0 });
    else if (code === 0x7b) open.push({ name: "", isNameNext: true });
    else if (code === 0x5d || code === 0x7d) open.pop();
    else if (code === 0x2c && inner) {
      if ("index" in inner) inner.index += 1;
      else inner.isNameNext = true;
    }
  }
}

const quote = 0x22;

/** Where the string that begins at `from` has its closing quote. */
function endOfText(text: string, from: number): number {
  let at = from + 1;
  for (; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code === 0x5c) at++;
    else if (code === quote) break;
  }
  return at;
}

function isDigit(code: number): boolean {
  return code >= 0x30 && code <= 0x39;
}

/** Behind the digits, `.`, `e`, `E`, `+` and `-` from `from` on. */
function endOfNumber(text: string, from: number): number {
  let at = from + 1;
  for (; at < text.length; at++) {
    const code = text.charCodeAt(at);
    const isPart = isDigit(code) || code === 0x2e || code === 0x65 || code === 0x45 || code === 0x2b || code === 0x2d;
    if (!isPart) break;
  }
  return at;
}

function isLost(text: string, from: number, end: number): boolean {
  const literal = text.slice(from, end);
  if (end - from <= alwaysKeptChars && !/[eE]/.test(literal)) return false;
  const number = Number(literal);
  const printed = String(number);
  if (literal === printed) return false;
  if (!Number.isFinite(number)) return true;
  const value = toDecimal(literal);
  if (value === toDecimal(printed)) return false;
  const isInteger = !/[.eE]/.test(literal);
  return isInteger || number > Number.MAX_SAFE_INTEGER || value !== toDecimal(number.toPrecision(17));
}

/** One text for each decimal value, such as `15e-1` of `1.50`. */
function toDecimal(literal: string): string {
  const [mantissa = "", exponent = "0"] = literal.toLowerCase().split("e");
  const [whole = "", fraction = ""] = mantissa.split(".");
  const digits = whole + fraction;
  let from = 0;
  while (digits.charCodeAt(from) === 0x30) from++;
  let end = digits.length;
  while (end > from && digits.charCodeAt(end - 1) === 0x30) end--;
  return from === end ? "0" : `${digits.slice(from, end)}e${Number(exponent) - fraction.length + digits.length - end}`;
}

function pointerOf(open: readonly Open[]): string {
  return toPointer(open.map((each) => ("index" in each ? each.index : each.name)));
}

/** The JSON pointer of a place in a value (RFC 6901), by its names and indexes from the root; empty for the root. */
export function toPointer(path: readonly PropertyKey[]): string {
  return path.map((part) => `/${String(part).replaceAll("~", "~0").replaceAll("/", "~1")}`).join("");
}

const maxShownChars = 60;

function detailOf(text: string, from: number, end: number): string {
  const start = text.charAt(from - 1) === "-" ? from - 1 : from;
  const literal = text.slice(start, end);
  const shown = literal.length > maxShownChars ? `${literal.slice(0, maxShownChars)}…` : literal;
  return `the number ${shown} cannot be kept: it would become ${Number(literal)}; send it as a string`;
}
