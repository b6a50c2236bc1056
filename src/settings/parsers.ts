/** How a setting's text becomes a value. Each parser throws an `Error` that says what is allowed. */

export type Parse<T> = (text: string) => T;

const durationUnits: Record<string, number> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** A century: what is added to the time of day stays a date. */
export const longestDurationMs = 36_500 * 86_400_000;

/** `250ms`, `30s`, `10m`, `2h`, `7d` to milliseconds, however many; undefined: the text is no duration. */
export function durationMs(text: string): number | undefined {
  const match = /^(\d+(?:\.\d+)?)(ms|s|m|h|d)$/.exec(text);
  const unit = durationUnits[match?.[2] ?? ""];
  return match && unit !== undefined ? Math.round(Number(match[1]) * unit) : undefined;
}

/** Throws for what is no duration, and for one that is longer than `longestDurationMs`. */
export function parseDuration(text: string): number {
  const ms = durationMs(text);
  if (ms === undefined) throw new Error("expected a duration such as 250ms, 30s, 10m or 2h");
  if (ms > longestDurationMs) throw new Error("the duration is too long");
  return ms;
}

/** A duration within `min` and `max` milliseconds. */
export function duration(min: number, max: number): Parse<number> {
  return (text) => {
    const ms = parseDuration(text);
    if (ms < min || ms > max) throw new Error(`expected a duration from ${showDuration(min)} to ${showDuration(max)}`);
    return ms;
  };
}

/** Milliseconds as the longest unit that keeps them whole: 90000 is `90s`. */
export function showDuration(ms: number): string {
  for (const unit of ["d", "h", "m", "s"]) {
    const size = durationUnits[unit] ?? 1;
    if (ms >= size && ms % size === 0) return `${ms / size}${unit}`;
  }
  return `${ms}ms`;
}

const kilobyte = 1024;
const byteUnits: Record<string, number> = {
  KB: kilobyte,
  MB: kilobyte ** 2,
  GB: kilobyte ** 3,
  TB: kilobyte ** 4,
};

/** `512MB`, `1.5GB` to bytes; a kilobyte is 1024 bytes. */
export function parseByteSize(text: string): number {
  const match = /^(\d+(?:\.\d+)?)(KB|MB|GB|TB)$/.exec(text);
  const unit = byteUnits[match?.[2] ?? ""];
  if (!match || unit === undefined) throw new Error("expected a size such as 512MB or 2GB");
  return Math.round(Number(match[1]) * unit);
}

/** A size within `min` and `max` bytes. */
export function byteSize(min: number, max: number): Parse<number> {
  return (text) => {
    const bytes = parseByteSize(text);
    if (bytes < min || bytes > max)
      throw new Error(`expected a size from ${showByteSize(min)} to ${showByteSize(max)}`);
    return bytes;
  };
}

/** Bytes, from a kilobyte up, as the longest unit that keeps them whole: 1610612736 is `1536MB`. A rest is cut off. */
export function showByteSize(bytes: number): string {
  const unit = ["TB", "GB", "MB"].find(
    (name) => bytes >= (byteUnits[name] ?? 0) && bytes % (byteUnits[name] ?? 1) === 0,
  );
  return `${Math.floor(bytes / (byteUnits[unit ?? "KB"] ?? 1))}${unit ?? "KB"}`;
}

export function integer(min: number, max: number): Parse<number> {
  return (text) => {
    const value = Number(text);
    if (!/^\d+$/.test(text) || value < min || value > max) {
      throw new Error(`expected a whole number from ${min} to ${max}`);
    }
    return value;
  };
}

export function oneOf<const T extends string>(...allowed: T[]): Parse<T> {
  return (text) => {
    const found = allowed.find((word) => word === text);
    if (found === undefined) throw new Error(`expected ${allowed.join(" or ")}`);
    return found;
  };
}

export function listOf<T>(parse: Parse<T>): Parse<T[]> {
  return (text) => text.split(",").map((word) => parse(word.trim()));
}

/** So many in a window of time. */
export interface Rate {
  count: number;
  windowSeconds: number;
}

const rateWindows: Record<string, number> = { s: 1, m: 60, h: 3600 };

/** `100/s`, `6000/m`, `10000/h`. */
export function rate(text: string): Rate {
  const match = /^(\d{1,9})\/([smh])$/.exec(text);
  const count = Number(match?.[1]);
  const windowSeconds = rateWindows[match?.[2] ?? ""];
  if (!windowSeconds || count < 1) throw new Error("expected a rate such as 100/s, 6000/m or 10000/h");
  return { count, windowSeconds };
}

/** `https://shop.example`, as browsers send it in `Origin` (RFC 6454, 6.2): no path, no slash. Or `*`: any. */
export function origin(text: string): string {
  if (text !== "*" && URL.parse(text)?.origin !== text) {
    throw new Error("expected origins such as https://shop.example or http://localhost:3000, without a path, or *");
  }
  return text;
}

export const flag: Parse<boolean> = (text) => oneOf("true", "false")(text) === "true";

/** `host:port`, `[::1]:port`. */
export function address(text: string): { host: string; port: number } {
  const match = /^(\[[0-9a-fA-F:]+\]|[^:\s]+):(\d{1,5})$/.exec(text);
  const port = Number(match?.[2]);
  if (!match?.[1] || port > 65_535) throw new Error("expected host:port, such as 127.0.0.1:8080");
  return { host: match[1].replace(/^\[|\]$/g, ""), port };
}

/** The name of a field or an attribute. */
export function keyName(text: string): string {
  if (!/^[\w.-]{1,100}$/.test(text)) throw new Error("expected names of up to 100 letters, digits, _, . or -");
  return text;
}

/** An SQS queue name: up to 80 of letters, digits, hyphen, underscore (SQS quotas, "Queue name"). */
export function queueName(text: string): string {
  if (!/^[A-Za-z0-9_-]{1,80}$/.test(text)) throw new Error("expected up to 80 letters, digits, - or _");
  return text;
}

/** A name that is safe to stand in SQL, and that DynamoDB takes too. */
export function tableName(text: string): string {
  if (!/^[A-Za-z_][A-Za-z0-9_]{2,59}$/.test(text)) throw new Error("expected 3 to 60 letters, digits or _");
  return text;
}

export function httpUrl(text: string): string {
  if (!URL.canParse(text) || !/^https?:$/.test(new URL(text).protocol)) throw new Error("expected an http(s) URL");
  return text.replace(/\/+$/, "");
}

/** Settings are shown as they are: what is in one is no secret. */
export function openUrl(text: string): string {
  const url = httpUrl(text);
  const { username, password } = new URL(url);
  if (username || password) throw new Error("expected a URL without a user and a password");
  return url;
}

export const logLevels = ["trace", "debug", "info", "warn", "error"] as const;
export type LogLevel = (typeof logLevels)[number];

/** The level of everything, and of single modules. */
export interface LogLevels {
  base: LogLevel;
  modules: Record<string, LogLevel>;
}

/** `info`, or `info,worker.pool=debug,queue=trace`. */
export function logLevelsOf(text: string): LogLevels {
  const levels: LogLevels = { base: "info", modules: {} };
  for (const part of text.split(",")) {
    const [left = "", right] = part.trim().split("=");
    const level = oneOf(...logLevels)(right ?? left);
    if (right === undefined) levels.base = level;
    else levels.modules[left] = level;
  }
  return levels;
}
