/**
 * JSON text that stays text. What a caller sends as `payload` is carried with the caller's own characters, so that no
 * digit of a number changes on the way: `readJson` checks a text as a whole and gives a payload, and a result, as `JsonText`;
 * `writeJson` writes it back as it is. Pure. One file, because reader, writer and canonical form share what they know of
 * JSON's syntax.
 */

/** The text of one JSON value, as its caller wrote it. */
export class JsonText {
  readonly text: string;
  constructor(text: string) {
    this.text = text;
  }
  /** For whatever writes JSON without `writeJson`: numbers that JavaScript cannot hold change here. */
  toJSON(): unknown {
    return JSON.parse(this.text);
  }
}

export type JsonFault = "not_json" | "too_deep";

export class JsonError extends Error {
  readonly fault: JsonFault;
  constructor(fault: JsonFault) {
    super(fault);
    this.fault = fault;
  }
}

/** Members with these names are usually kept as text, unless they are inside such a member or inside `opaqueName`. */
const usualNames = ["payload", "result"];
/** Its member names are the caller's own. */
const opaqueName = "metadata";

/**
 * The value of JSON text (RFC 8259), its payloads and results as `JsonText`. One pass checks the syntax and the depth of everything;
 * what is inside a payload is not built. Throws a `JsonError` for text that is not JSON or nests deeper than `maxDepth`.
 * `keptNames`: of other members that are kept as text.
 */
export function readJson(text: string, maxDepth: number, keptNames: readonly string[] = usualNames): unknown {
  return new Reader(text, maxDepth, keptNames).readWhole();
}

/** JSON of plain values, in which each `JsonText` stands as it is. */
export function writeJson(value: unknown): string {
  if (value instanceof JsonText) return value.text;
  if (typeof value !== "object" || value === null) return JSON.stringify(value) ?? "null";
  if (Array.isArray(value)) {
    let items = "";
    for (const item of value) items += `${items === "" ? "" : ","}${writeJson(item)}`;
    return `[${items}]`;
  }
  let members = "";
  for (const [name, member] of Object.entries(value)) {
    if (member !== undefined) members += `${members === "" ? "" : ","}${JSON.stringify(name)}:${writeJson(member)}`;
  }
  return `{${members}}`;
}

/** The JSON text of a payload: its own, or written when it came as a value. */
export function textOf(payload: unknown): string {
  return payload instanceof JsonText ? payload.text : JSON.stringify(payload ?? null);
}

/** Also of a payload that is the text `null`. */
export function isNull(payload: unknown): boolean {
  return textOf(payload) === "null";
}

/** Reads one text from its start to its end. */
class Reader {
  readonly #text: string;
  readonly #maxDepth: number;
  readonly #keptNames: readonly string[];
  #at = 0;

  constructor(text: string, maxDepth: number, keptNames: readonly string[]) {
    this.#text = text;
    this.#maxDepth = maxDepth;
    this.#keptNames = keptNames;
  }

  readWhole(): unknown {
    this.#at = afterSpaces(this.#text, 0);
    const value = this.#read(0);
    if (afterSpaces(this.#text, this.#at) < this.#text.length) throw new JsonError("not_json");
    return value;
  }

  /** `depth`: how many arrays and objects are open around the value. */
  #read(depth: number): unknown {
    const code = this.#text.charCodeAt(this.#at);
    if (code === openBrace) return this.#readObject(depth + 1);
    if (code === openBracket) return this.#readArray(depth + 1);
    if (code === quote) return this.#readString();
    const from = this.#at;
    this.#at = afterLiteral(this.#text, from);
    return JSON.parse(this.#text.slice(from, this.#at));
  }

  #readArray(depth: number): unknown[] {
    const items: unknown[] = [];
    if (this.#isEmpty(closeBracket, depth)) return items;
    do items.push(this.#read(depth));
    while (this.#hasNext(closeBracket));
    return items;
  }

  #readObject(depth: number): object {
    const object: Record<string, unknown> = {};
    if (this.#isEmpty(closeBrace, depth)) return object;
    do {
      const name = this.#readString();
      this.#at = afterColon(this.#text, this.#at);
      const value = this.#readMember(name, depth);
      // By assignment it would be the object's prototype.
      if (name === "__proto__") Object.defineProperty(object, name, { ...plainMember, value });
      else object[name] = value;
    } while (this.#hasNext(closeBrace));
    return object;
  }

  #readMember(name: string, depth: number): unknown {
    const isKept = this.#keptNames.includes(name);
    if (!isKept && name !== opaqueName) return this.#read(depth);
    const from = this.#at;
    this.#at = afterValue(this.#text, from, this.#maxDepth - depth);
    const text = this.#text.slice(from, this.#at);
    return isKept ? new JsonText(text) : JSON.parse(text);
  }

  /** Goes into an array or object, and out again if nothing is in it. */
  #isEmpty(closing: number, depth: number): boolean {
    if (depth > this.#maxDepth) throw new JsonError("too_deep");
    this.#at = afterSpaces(this.#text, this.#at + 1);
    if (this.#text.charCodeAt(this.#at) !== closing) return false;
    this.#at += 1;
    return true;
  }

  /** Goes to the next item or member, or out. */
  #hasNext(closing: number): boolean {
    this.#at = afterSpaces(this.#text, this.#at);
    const code = this.#text.charCodeAt(this.#at);
    if (code !== comma && code !== closing) throw new JsonError("not_json");
    this.#at += 1;
    if (code === closing) return false;
    this.#at = afterSpaces(this.#text, this.#at);
    return true;
  }

  #readString(): string {
    const from = this.#at;
    this.#at = afterString(this.#text, from);
    const inner = this.#text.slice(from + 1, this.#at - 1);
    return inner.includes("\\") ? JSON.parse(this.#text.slice(from, this.#at)) : inner;
  }
}

const plainMember = { enumerable: true, configurable: true, writable: true };

/**
 * Behind the value that begins at `from` and nests at most `maxDepth` levels. It is checked, not built. Iterative, since a text
 * may nest deeper than the stack.
 */
function afterValue(text: string, from: number, maxDepth: number): number {
  /** What closes each array and object that is open, the innermost last. */
  const closings: number[] = [];
  let at = from;
  for (;;) {
    const code = text.charCodeAt(at);
    if (code === openBrace || code === openBracket) {
      const closing = code === openBrace ? closeBrace : closeBracket;
      if (closings.push(closing) > maxDepth) throw new JsonError("too_deep");
      at = afterSpaces(text, at + 1);
      if (text.charCodeAt(at) !== closing) {
        if (closing === closeBrace) at = afterName(text, at);
        continue;
      }
      closings.pop();
      at += 1;
    } else at = code === quote ? afterString(text, at) : afterLiteral(text, at);
    // A value ends here, and with it each array and object that ends right behind it.
    for (;;) {
      const closing = closings[closings.length - 1];
      if (closing === undefined) return at;
      at = afterSpaces(text, at);
      const next = text.charCodeAt(at);
      if (next === comma) {
        at = afterSpaces(text, at + 1);
        if (closing === closeBrace) at = afterName(text, at);
        break;
      }
      if (next !== closing) throw new JsonError("not_json");
      closings.pop();
      at += 1;
    }
  }
}

/** Where the value begins whose name begins at `from`. */
function afterName(text: string, from: number): number {
  return afterColon(text, afterString(text, from));
}

function afterColon(text: string, from: number): number {
  const at = afterSpaces(text, from);
  if (text.charCodeAt(at) !== colon) throw new JsonError("not_json");
  return afterSpaces(text, at + 1);
}

function afterSpaces(text: string, from: number): number {
  let at = from;
  for (;;) {
    const code = text.charCodeAt(at);
    if (code > 0x20 || (code !== 0x20 && code !== 0x0a && code !== 0x0d && code !== 0x09)) return at;
    at += 1;
  }
}

/** Characters of a string that are looked at one by one before what ends it, or has to be looked at, is searched natively. */
const shortRun = 32;
/** A quote, a backslash, a control character; also those that JSON allows. */
const endOfRun = /["\\\p{Cc}]/gu;

/** Behind the string that begins at `from`. */
function afterString(text: string, from: number): number {
  if (text.charCodeAt(from) !== quote) throw new JsonError("not_json");
  let at = from + 1;
  let searchAt = at + shortRun;
  for (;;) {
    const code = text.charCodeAt(at);
    if (code === quote) return at + 1;
    if (code === 0x5c) {
      at = afterEscape(text, at);
      searchAt = at + shortRun;
    } else if (code >= 0x20) {
      at += 1;
      if (at < searchAt) continue;
      endOfRun.lastIndex = at;
      at = endOfRun.test(text) ? endOfRun.lastIndex - 1 : text.length;
      searchAt = at + shortRun;
    }
    // A control character, or the end of the text, which has no code.
    else throw new JsonError("not_json");
  }
}

const unicodeEscape = /\\u[0-9A-Fa-f]{4}/y;
/** Behind the backslash of each other escape. */
const escapedCodes: readonly number[] = Array.from('"\\/bfnrt', (letter) => letter.charCodeAt(0));

function afterEscape(text: string, from: number): number {
  if (escapedCodes.includes(text.charCodeAt(from + 1))) return from + 2;
  unicodeEscape.lastIndex = from;
  if (!unicodeEscape.test(text)) throw new JsonError("not_json");
  return unicodeEscape.lastIndex;
}

/** Behind the number, `true`, `false` or `null` that begins at `from`. */
function afterLiteral(text: string, from: number): number {
  const first = text.charCodeAt(from);
  if (first >= 0x61) {
    const word = first === 0x74 ? "true" : first === 0x66 ? "false" : "null";
    if (!text.startsWith(word, from)) throw new JsonError("not_json");
    return from + word.length;
  }
  let at = first === minus ? from + 1 : from;
  at = text.charCodeAt(at) === 0x30 ? at + 1 : afterDigits(text, at);
  if (text.charCodeAt(at) === point) at = afterDigits(text, at + 1);
  if ((text.charCodeAt(at) | 0x20) === 0x65) {
    const sign = text.charCodeAt(at + 1);
    at = afterDigits(text, sign === minus || sign === 0x2b ? at + 2 : at + 1);
  }
  return at;
}

/** Behind the digits that begin at `from`, one at least. */
function afterDigits(text: string, from: number): number {
  let at = from;
  for (let code = text.charCodeAt(at); code >= 0x30 && code <= 0x39; code = text.charCodeAt(at)) at += 1;
  if (at === from) throw new JsonError("not_json");
  return at;
}

const minus = 0x2d;
const point = 0x2e;
const quote = 0x22;
const comma = 0x2c;
const colon = 0x3a;
const openBracket = 0x5b;
const closeBracket = 0x5d;
const openBrace = 0x7b;
const closeBrace = 0x7d;
const punctuation: readonly number[] = [comma, colon, openBracket, closeBracket, openBrace, closeBrace];

/** Of valid JSON text. Not by a regular expression, which is slow for a long string, and fails for one of megabytes. */
function tokensOf(text: string): string[] {
  const tokens: string[] = [];
  for (let from = afterSpaces(text, 0); from < text.length; ) {
    const to = afterToken(text, from);
    tokens.push(text.slice(from, to));
    from = afterSpaces(text, to);
  }
  return tokens;
}

function afterToken(text: string, from: number): number {
  const code = text.charCodeAt(from);
  if (code === quote) return afterString(text, from);
  return punctuation.includes(code) ? from + 1 : afterLiteral(text, from);
}

/**
 * One text for all JSON texts that mean the same: members sorted, those with an index as name first, as in an object of
 * JavaScript; no spaces, each number by its decimal value. Numbers that JavaScript holds are written as it writes them.
 */
export function canonicalJson(text: string): string {
  let at = afterSpaces(text, 0);
  /** What stands between `at` and `end`, which is gone to. */
  const take = (end: number): string => {
    const token = text.slice(at, end);
    at = afterSpaces(text, end);
    return token;
  };
  const takeParts = (closing: number, takePart: () => void): void => {
    take(at + 1);
    while (text.charCodeAt(at) !== closing) {
      takePart();
      if (text.charCodeAt(at) === comma) take(at + 1);
    }
    take(at + 1);
  };
  const takeObject = (): string => {
    const members: Record<string, string> = Object.create(null);
    let isSorted = true;
    let last = "";
    takeParts(closeBrace, () => {
      const token = take(afterString(text, at));
      const name: string = token.includes("\\") ? JSON.parse(token) : token.slice(1, -1);
      take(at + 1);
      isSorted &&= last <= name;
      last = name;
      members[name] = takeValue();
    });
    return writeMembers(isSorted ? members : sorted(members));
  };
  const takeValue = (): string => {
    const code = text.charCodeAt(at);
    if (code === quote) return canonicalString(take(afterString(text, at)));
    if (code === openBrace) return takeObject();
    if (code !== openBracket) return canonicalLiteral(take(afterLiteral(text, at)));
    const items: string[] = [];
    takeParts(closeBracket, () => items.push(takeValue()));
    return `[${items.join(",")}]`;
  };
  return takeValue();
}

/** Without a prototype, as its names are the caller's own. */
function sorted(members: Record<string, string>): Record<string, string> {
  const inOrder: Record<string, string> = Object.create(null);
  for (const name of Object.keys(members).sort()) inOrder[name] = members[name] ?? "";
  return inOrder;
}

function writeMembers(members: Record<string, string>): string {
  let out = "";
  for (const name in members) out += `${out === "" ? "" : ","}${JSON.stringify(name)}:${members[name]}`;
  return `{${out}}`;
}

function canonicalString(token: string): string {
  return token.includes("\\") || !token.isWellFormed() ? JSON.stringify(JSON.parse(token)) : token;
}

/** These numbers are as JavaScript writes them. */
const plainNumber = /^(?:0|-?[1-9]\d{0,14})$/;

function canonicalLiteral(token: string): string {
  return plainNumber.test(token) || !/\d/.test(token) ? token : canonicalNumber(token);
}

function canonicalNumber(literal: string): string {
  const printed = JSON.stringify(Number(literal));
  if (printed === literal) return printed;
  const value = toDecimal(literal);
  return value === toDecimal(printed) ? printed : value;
}

/** An exponent of more digits is not added up exactly. */
const maxExponentDigits = 15;

/** One text for each decimal value, such as `15e-1` of `1.50`. With an exponent that is too long it is the literal itself. */
function toDecimal(literal: string): string {
  const sign = literal.startsWith("-") ? "-" : "";
  const [mantissa = "", exponent = "0"] = literal.slice(sign.length).toLowerCase().split("e");
  const [whole = "", fraction = ""] = mantissa.split(".");
  const digits = whole + fraction;
  let from = 0;
  while (digits.charCodeAt(from) === 0x30) from++;
  let end = digits.length;
  while (end > from && digits.charCodeAt(end - 1) === 0x30) end--;
  if (from === end) return "0";
  if (exponent.replace(/^[+-]?0*/, "").length > maxExponentDigits) return literal;
  const power = Number(exponent) - fraction.length + digits.length - end;
  return `${sign}${digits.slice(from, end)}e${power}`;
}

const escapedPairOrOther = /\\ud[89ab][0-9a-f]{2}\\ud[c-f][0-9a-f]{2}|\\u[0-9a-f]{4}|\\./gi;
/** What has to be escaped in JSON, and what nobody sees. */
const unseen = /["\\\p{C}]/gu;

/** The same JSON text for people: `\u00fc`, as many writers of JSON have it, is a letter. */
export function readable(text: string): string {
  if (!text.includes("\\u")) return text;
  return text.replace(escapedPairOrOther, (found) => {
    if (!found.startsWith("\\u")) return found;
    const characters: string = JSON.parse(`"${found}"`);
    return characters.replace(unseen, escaped);
  });
}

function escaped(character: string): string {
  const units = Array.from({ length: character.length }, (_, at) => character.charCodeAt(at));
  return units.map((unit) => `\\u${unit.toString(16).padStart(4, "0")}`).join("");
}

/** JSON text for people without spaces, on one line, each number as it is. */
export function compact(text: string): string {
  return tokensOf(readable(text)).join("");
}

/**
 * JSON text for people with a line for each member and item, as `JSON.stringify(value, null, 2)` lays it out, each number as
 * it is.
 */
export function layOut(text: string): string {
  const tokens = tokensOf(readable(text));
  let out = "";
  let depth = 0;
  const newLine = (): string => `\n${"  ".repeat(depth)}`;
  for (const [at, token] of tokens.entries()) {
    const isEmpty = tokens[at + 1] === "]" || tokens[at + 1] === "}";
    if (token === "[" || token === "{") {
      depth += 1;
      out += isEmpty ? token : token + newLine();
    } else if (token === "]" || token === "}") {
      depth -= 1;
      out += /[[{]$/.test(out) ? token : newLine() + token;
    } else if (token === ",") out += token + newLine();
    else out += token === ":" ? ": " : token;
  }
  return out;
}

/** A JSON pointer (RFC 6901) to the value at `path`. */
export function toPointer(path: readonly PropertyKey[]): string {
  return path.map((part) => `/${String(part).replaceAll("~", "~0").replaceAll("/", "~1")}`).join("");
}
