/**
 * The header `baggage`: W3C Baggage, "Baggage HTTP Header Format". Cut to its limits before it is parsed. The SDK's own
 * reader drops a value that is not well encoded, an empty one, and one over 4 KiB; its writer triples what needs no
 * encoding, and fails as a whole at half a character.
 */

import { type Baggage, type BaggageEntry, baggageEntryMetadataFromString, propagation } from "@opentelemetry/api";
import { trimOws } from "./trace-context.ts";

const maxMembers = 64;
const maxBytes = 8192;

/** RFC 9110, "token". */
const tokenPattern = /^[!#$%&'*+\-.^_`|~\dA-Za-z]+$/;
/** Printable ASCII; a stranger's quotation marks and spaces are read, and leave encoded. */
const valuePattern = /^[\x20-\x7e]*$/;
/** What is no `baggage-octet`, and the sign that encodes it. */
const encodedCharacters = /[^\x21\x23-\x2b\x2d-\x3a\x3c-\x5b\x5d-\x7e]|%/gu;
/** Properties are kept as they are; what could break out of the header is not. */
const propertyPattern = /^[\x20-\x2b\x2d-\x7e\t]+$/;

/** Undefined when there is no member that can be read. Of members with the same key the last one counts. */
export function parseBaggage(text: string): Baggage | undefined {
  const entries = membersOf(text).flatMap(parseMember);
  return entries.length > 0 ? propagation.createBaggage(Object.fromEntries(entries)) : undefined;
}

/** Empty when there is no member. What exceeds the limits is dropped as whole members, the last ones first. */
export function formatBaggage(baggage: Baggage): string {
  const members: string[] = [];
  let length = -1;
  for (const [key, entry] of baggage.getAllEntries()) {
    if (key === "") continue;
    const member = formatMember(key, entry);
    length += member.length + 1;
    if (length > maxBytes || members.length === maxMembers) break;
    members.push(member);
  }
  return members.join(",");
}

/** The first whole members, within the limits. Empty ones, which joined headers leave behind, count for nothing. */
function membersOf(text: string): string[] {
  const members: string[] = [];
  let start = 0;
  while (start < text.length && members.length < maxMembers) {
    const comma = text.indexOf(",", start);
    const end = comma < 0 ? text.length : comma;
    // A character of a header is a byte.
    if (end > maxBytes) break;
    const member = text.slice(start, end);
    if (trimOws(member) !== "") members.push(member);
    start = end + 1;
  }
  return members;
}

function parseMember(member: string): [key: string, entry: BaggageEntry][] {
  const semicolon = member.indexOf(";");
  const pair = semicolon < 0 ? member : member.slice(0, semicolon);
  const at = pair.indexOf("=");
  const [key, value] = [trimOws(pair.slice(0, at)), trimOws(pair.slice(at + 1))];
  if (at < 0 || !tokenPattern.test(key) || !valuePattern.test(value)) return [];
  const properties = semicolon < 0 ? "" : trimOws(member.slice(semicolon + 1));
  const metadata = propertyPattern.test(properties) && { metadata: baggageEntryMetadataFromString(properties) };
  return [[key, { value: decode(value), ...metadata }]];
}

function formatMember(key: string, { value, metadata }: BaggageEntry): string {
  const name = tokenPattern.test(key) ? key : encodeKey(key);
  const properties = metadata?.toString() ?? "";
  const suffix = propertyPattern.test(properties) ? `;${properties}` : "";
  return `${name}=${encode(value)}${suffix}`;
}

/** As JavaScript does, and its two brackets, which no token has. */
function encodeKey(key: string): string {
  return encodeURIComponent(key.toWellFormed()).replaceAll("(", "%28").replaceAll(")", "%29");
}

function encode(value: string): string {
  return value.toWellFormed().replace(encodedCharacters, (character) => encodeURIComponent(character));
}

/** Octets that are no UTF-8 become U+FFFD, as the specification demands. */
function decode(value: string): string {
  if (!value.includes("%")) return value;
  const bytes = value.replace(/%([\da-f]{2})/gi, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));
  return Buffer.from(bytes, "latin1").toString("utf8");
}
