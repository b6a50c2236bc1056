/** The body of the task type `http` as it is sent: the content type says how the payload's JSON value becomes bytes. */

/** A value that has no form in its content type. */
export class UnfitBody extends Error {
  override readonly name = "UnfitBody";
}

/** `contentType` as the header has it. Text is sent as it is, unless the type is JSON, of which any value is one. */
export function toBody(body: unknown, contentType: string): string | Uint8Array {
  const essence = contentType.split(";", 1)[0]?.trim().toLowerCase() ?? "";
  if (isJson(essence)) return JSON.stringify(body);
  if (typeof body === "string") return toBytes(body, contentType);
  if (essence === "application/x-www-form-urlencoded") return toForm(body);
  if (essence.startsWith("text/")) return toBytes(JSON.stringify(body), contentType);
  throw new UnfitBody(`a body of the content type "${contentType}" is sent as it is: expected a string`);
}

function isJson(essence: string): boolean {
  return essence === "application/json" || essence === "text/json" || essence.endsWith("+json");
}

/** WHATWG URL, "application/x-www-form-urlencoded"; a list is the same name again for each of its values. */
function toForm(body: unknown): string {
  if (typeof body !== "object" || body === null || Array.isArray(body)) {
    throw new UnfitBody("the body of a form is expected to be an object, or a string that is encoded already");
  }
  const form = new URLSearchParams();
  for (const [name, value] of Object.entries(body)) {
    const values: unknown[] = Array.isArray(value) ? value : [value];
    for (const one of values) {
      if (typeof one === "object" && one !== null) {
        throw new UnfitBody(
          `the form's field "${name}" is expected to be text, a number, a boolean, null, or a list of these`,
        );
      }
      form.append(name, String(one ?? ""));
    }
  }
  return form.toString();
}

/** As the parameter `charset` says, in those of Node's encodings that are charsets. */
function toBytes(text: string, contentType: string): string | Uint8Array {
  const charset = charsetOf(contentType)?.toLowerCase() ?? "utf-8";
  if (charset === "utf-8" || charset === "utf8") return text;
  if (charset === "utf-16le") return Buffer.from(text, "utf16le");
  const bytes = Buffer.from(text, "latin1");
  const isAscii = Buffer.byteLength(text) === text.length && !charset.startsWith("utf-");
  const isLatin1 = charset === "iso-8859-1" && bytes.toString("latin1") === text;
  if (isAscii || isLatin1) return bytes;
  throw new UnfitBody(`the body cannot be written in the charset "${charset}": expected utf-8`);
}

/** Of a content type, with its quotes taken off. */
export function charsetOf(contentType: string): string | undefined {
  return /;\s*charset\s*=\s*"?([^";\s]+)/i.exec(contentType)?.[1];
}
