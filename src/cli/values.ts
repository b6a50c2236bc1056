/** How what is typed as a flag's value is read. Each throws commander's error, which says what is allowed. Light: every start loads it. */

import { InvalidArgumentError } from "commander";
import { httpUrl, integer, type Parse, parseDuration } from "../settings/parsers.ts";
import { lostNumbers } from "../words/json-text.ts";
import { parseTime } from "../words/time-text.ts";

/** For a flag of commander, whose own words come before these. */
function asArgument<T>(parse: Parse<T>): Parse<T> {
  return (text) => {
    try {
      return parse(text);
    } catch (error) {
      const said = error instanceof Error ? error.message : String(error);
      throw new InvalidArgumentError(`${said.charAt(0).toUpperCase()}${said.slice(1)}.`);
    }
  };
}

/** Checked, and left as it is: the API reads the same notation. */
export const durationText = asArgument((text) => {
  parseDuration(text);
  return text;
});

/** In milliseconds. */
export const durationMs = asArgument(parseDuration);

export function wholeNumber(min: number, max: number): Parse<number> {
  return asArgument(integer(min, max));
}

/** Above 0, such as `0.5`. */
export const rate = asArgument((text) => {
  const value = Number(text);
  if (!/^\d+(\.\d+)?$/.test(text) || value <= 0) throw new Error("expected a number above 0");
  return value;
});

/** Checked, and left as it is: the API reads the same notation. */
export const timeText = asArgument((text) => {
  parseTime(text);
  return text;
});

/** A time, or how long ago it was; checked, and read by `toMoment` when it is asked by. */
export const momentText = asArgument((text) => {
  toMoment(text);
  return text;
});

/** In RFC 3339. */
export function toMoment(text: string): string {
  return new Date(/^\d{4}-/.test(text) ? parseTime(text) : Date.now() - parseDuration(text)).toISOString();
}

/** A URL without a slash at its end, gathered. */
export function httpAddress(text: string, before: string[] = []): string[] {
  return [...before, asArgument(httpUrl)(text)];
}

/** `name=value`, gathered. */
export function pair(text: string, before: Record<string, string> = {}): Record<string, string> {
  const at = text.indexOf("=");
  if (at < 1) throw new InvalidArgumentError("Expected name=value.");
  return { ...before, [text.slice(0, at)]: text.slice(at + 1) };
}

/** A JSON text; or `@file`, or `-` for what comes on stdin, which are read later. */
export function payloadText(text: string): string {
  if (text !== "-" && !text.startsWith("@")) parsePayload(text);
  return text;
}

/** What the JSON text says. Throws for numbers that JavaScript cannot hold, too: they would be sent as others. */
export function parsePayload(text: string): unknown {
  const value = parseJson(text);
  for (const { pointer, detail } of lostNumbers(text)) {
    throw new InvalidArgumentError(`${pointer && `${pointer}: `}${detail}.`);
  }
  return value;
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new InvalidArgumentError(`It is not JSON (${why}). In a shell, quote it: '{"n":1}', or '"a text"'.`);
  }
}
