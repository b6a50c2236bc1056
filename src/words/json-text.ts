/**
 * JSON text that stays text. What a caller sends as `payload` is carried with the caller's own characters, so that no
 * digit of a number changes on the way: `readJson` checks a text as a whole and gives a payload, and a result, as `JsonText`;
 * `writeJson` writes it back as it is. Pure.
 */

/** The text of one JSON value, as somebody wrote it. */
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

interface Kept {
  /** Names and indexes from the root to the member. */
  path: readonly (string | number)[];
  from: number;
  to: number;
}

/**
 * The value of JSON text (RFC 8259), its payloads and results as `JsonText`. One pass checks the syntax and the depth of everything;
 * what is inside a payload is not built. Throws a `JsonError` for text that is not JSON or nests deeper than `maxDepth`.
 * `keptNames`: of other members that are kept as text.
 */
export function readJson(text: string, maxDepth: number, keptNames: readonly unknown[] = usualNames): unknown {
  const kept = scan(text, maxDepth, keptNames);
  if (kept.length === 0) return JSON.parse(text);
  let rest = "";
  let at = 0;
  for (const { from, to } of kept) {
    rest += `${text.slice(at, from)}0`;
    at = to;
  }
  const root: unknown = JSON.parse(rest + text.slice(at));
  for (const { path, from, to } of kept) setAt(root, path, new JsonText(text.slice(from, to)));
  return root;
}

/**
 * `path` leads through values that were just parsed, by members of their own: of a name that stands twice the last one
 * holds, as in `JSON.parse`, which may have nothing at `path`, or only what every object inherits.
 */
function setAt(root: unknown, path: readonly (string | number)[], value: JsonText): void {
  let parent: unknown = root;
  for (const part of path.slice(0, -1)) parent = ownMember(parent, part);
  const name = path.at(-1) ?? "";
  if (typeof parent !== "object" || parent === null || !Object.hasOwn(parent, name)) return;
  Object.defineProperty(parent, name, { value, enumerable: true, configurable: true, writable: true });
}

function ownMember(parent: unknown, name: string | number): unknown {
  return typeof parent === "object" && parent !== null && Object.hasOwn(parent, name)
    ? Reflect.get(parent, name)
    : undefined;
}

/** JSON of plain values, in which each `JsonText` stands as it is. */
export function writeJson(value: unknown): string {
  if (value instanceof JsonText) return value.text;
  if (Array.isArray(value)) return `[${value.map((item) => writeJson(item ?? null)).join(",")}]`;
  if (typeof value !== "object" || value === null) return JSON.stringify(value) ?? "null";
  const members = Object.entries(value).filter(([, member]) => member !== undefined);
  return `{${members.map(([name, member]) => `${JSON.stringify(name)}:${writeJson(member)}`).join(",")}}`;
}

/**
 * Calls `onMember` for each member of the object that begins at `from`, with where its value begins and ends. The text has to
 * be JSON: what is inside of the values is passed over, not checked. Throws a `JsonError` for text that is no object.
 */
export function eachMember(
  text: string,
  from: number,
  onMember: (name: string, from: number, to: number) => void,
): void {
  eachPart(text, from, openBrace, (at) => {
    const nameEnd = afterString(text, at);
    const valueAt = afterSpaces(text, afterSpaces(text, nameEnd) + 1);
    const end = afterValue(text, valueAt);
    onMember(text.slice(at + 1, nameEnd - 1), valueAt, end);
    return end;
  });
}

/** The same for the items of an array. */
export function eachItem(text: string, from: number, onItem: (from: number, to: number) => void): void {
  eachPart(text, from, openBracket, (at) => {
    const end = afterValue(text, at);
    onItem(at, end);
    return end;
  });
}

/** `read` gives where the part ends that begins at `at`. */
function eachPart(text: string, from: number, opening: number, read: (at: number) => number): void {
  let at = afterSpaces(text, from);
  if (text.charCodeAt(at) !== opening) throw new JsonError("not_json");
  at = afterSpaces(text, at + 1);
  // A closing sign is two behind its opening one, of both kinds.
  while (text.charCodeAt(at) !== opening + 2) {
    at = afterSpaces(text, read(at));
    if (text.charCodeAt(at) === comma) at = afterSpaces(text, at + 1);
    else if (text.charCodeAt(at) !== opening + 2) throw new JsonError("not_json");
  }
}

/** Behind the value that begins at `from`, of text that is known to be JSON. */
function afterValue(text: string, from: number): number {
  let depth = 0;
  let at = from;
  for (;;) {
    const code = text.charCodeAt(at);
    if (code === quote) at = afterKnownString(text, at);
    else if (code === openBrace || code === openBracket) {
      depth += 1;
      at += 1;
    } else if (depth === 0) return afterLiteral(text, at);
    else {
      if (code === closeBrace || code === closeBracket) depth -= 1;
      // Behind the end of the text there is no code.
      else if (Number.isNaN(code)) throw new JsonError("not_json");
      at += 1;
    }
    if (depth === 0) return at;
  }
}

/** As `afterString`, at the speed of a search: the string is not checked. */
function afterKnownString(text: string, from: number): number {
  let at = from;
  for (;;) {
    at = text.indexOf('"', at + 1);
    if (at < 0) throw new JsonError("not_json");
    let first = at;
    while (text.charCodeAt(first - 1) === 0x5c) first -= 1;
    if ((at - first) % 2 === 0) return at + 1;
  }
}

/** The JSON text of a payload: its own, or written when it came as a value. */
export function textOf(payload: unknown): string {
  return payload instanceof JsonText ? payload.text : JSON.stringify(payload ?? null);
}

/** Also of a payload that is the text `null`. */
export function isNull(payload: unknown): boolean {
  return textOf(payload) === "null";
}

/** An array or object that is open, and the member or item of it that is read. */
interface Open {
  isArray: boolean;
  at: string | number;
}

/** The payloads in `text`, in their order. Iterative, since a text may nest deeper than the stack. */
function scan(text: string, maxDepth: number, keptNames: readonly unknown[]): Kept[] {
  const kept: Kept[] = [];
  const open: Open[] = [];
  /** As many are open where a payload, or what is opaque, began: below that, names are not looked at. */
  let closedAt = Number.POSITIVE_INFINITY;
  let keptFrom = -1;
  let at = afterSpaces(text, 0);

  /** Reads a name and the colon behind it; gives where its value begins. */
  const readName = (inner: Open): number => {
    const end = afterString(text, at);
    const isSeen = open.length < closedAt;
    if (isSeen) inner.at = JSON.parse(text.slice(at, end));
    const colonAt = afterSpaces(text, end);
    if (text.charCodeAt(colonAt) !== colon) throw new JsonError("not_json");
    const from = afterSpaces(text, colonAt + 1);
    const isKept = isSeen && keptNames.includes(inner.at);
    if (isKept) keptFrom = from;
    if (isKept || (isSeen && inner.at === opaqueName)) closedAt = open.length;
    return from;
  };

  for (;;) {
    // A value begins here.
    const code = text.charCodeAt(at);
    if (code === openBrace || code === openBracket) {
      const inner: Open = { isArray: code === openBracket, at: 0 };
      if (open.push(inner) > maxDepth) throw new JsonError("too_deep");
      at = afterSpaces(text, at + 1);
      if (text.charCodeAt(at) !== (inner.isArray ? closeBracket : closeBrace)) {
        if (!inner.isArray) at = readName(inner);
        continue;
      }
      at += 1;
      open.pop();
    } else at = code === quote ? afterString(text, at) : afterLiteral(text, at);
    // A value ends here, and with it each array and object that ends right behind it.
    for (;;) {
      if (open.length === closedAt) {
        if (keptFrom >= 0) kept.push({ path: open.map((each) => each.at), from: keptFrom, to: at });
        keptFrom = -1;
        closedAt = Number.POSITIVE_INFINITY;
      }
      at = afterSpaces(text, at);
      const inner = open.at(-1);
      if (!inner) {
        if (at < text.length) throw new JsonError("not_json");
        return kept;
      }
      const next = text.charCodeAt(at);
      if (next === comma) {
        at = afterSpaces(text, at + 1);
        if (typeof inner.at === "number" && inner.isArray) inner.at += 1;
        else at = readName(inner);
        break;
      }
      if (next !== (inner.isArray ? closeBracket : closeBrace)) throw new JsonError("not_json");
      at += 1;
      open.pop();
    }
  }
}

function afterSpaces(text: string, from: number): number {
  let at = from;
  for (;;) {
    const code = text.charCodeAt(at);
    if (code !== 0x20 && code !== 0x0a && code !== 0x0d && code !== 0x09) return at;
    at += 1;
  }
}

/** Behind the string that begins at `from`. */
function afterString(text: string, from: number): number {
  if (text.charCodeAt(from) !== quote) throw new JsonError("not_json");
  let at = from + 1;
  for (;;) {
    const code = text.charCodeAt(at);
    if (code === quote) return at + 1;
    if (code === 0x5c) at = afterEscape(text, at);
    else if (code >= 0x20) at += 1;
    // A control character, or the end of the text, which has no code.
    else throw new JsonError("not_json");
  }
}

const anyEscape = /\\(?:["\\/bfnrt]|u[0-9A-Fa-f]{4})/y;

function afterEscape(text: string, from: number): number {
  anyEscape.lastIndex = from;
  if (!anyEscape.test(text)) throw new JsonError("not_json");
  return anyEscape.lastIndex;
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
  const tokens = tokensOf(text);
  let at = 0;
  const read = (): string => {
    const token = tokens[at++] ?? "";
    if (token === "[") {
      const items: string[] = [];
      while (tokens[at] !== "]") {
        items.push(read());
        if (tokens[at] === ",") at++;
      }
      at++;
      return `[${items.join(",")}]`;
    }
    if (token === "{") {
      const members = new Map<string, string>();
      while (tokens[at] !== "}") {
        const name: string = JSON.parse(tokens[at] ?? "");
        at += 2;
        members.set(name, read());
        if (tokens[at] === ",") at++;
      }
      at++;
      const sorted = Object.fromEntries([...members].sort(([a], [b]) => (a < b ? -1 : 1)));
      return `{${Object.entries(sorted)
        .map(([name, value]) => `${JSON.stringify(name)}:${value}`)
        .join(",")}}`;
    }
    if (token.startsWith('"')) return JSON.stringify(JSON.parse(token));
    return /^-?\d/.test(token) ? canonicalNumber(token) : token;
  };
  return read();
}

function canonicalNumber(literal: string): string {
  const printed = JSON.stringify(Number(literal));
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
