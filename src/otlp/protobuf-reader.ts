/**
 * Steps over a protobuf message without making objects of what is in it (protobuf.dev, "Encoding"). What is not well
 * formed throws `Malformed`. Groups are refused: no version of OTLP has had any.
 */

export const wireType = { varint: 0, fixed64: 1, lengthDelimited: 2, fixed32: 5 } as const;

/** Content from `start` to `end`. */
export interface Range {
  start: number;
  end: number;
}

export class Malformed extends Error {}

const maxVarintBytes = 10;
const maxTagBytes = 5;

/** The fields of the message in `bytes` from `start` to `end`, one after the other. */
export class Fields {
  /** Of the field that `next` has come to; its content is from `start` to `end`. */
  number = 0;
  wireType = 0;
  start: number;
  end: number;
  readonly #bytes: Uint8Array;
  readonly #limit: number;

  constructor(bytes: Uint8Array, start = 0, end = bytes.length) {
    this.#bytes = bytes;
    this.#limit = end;
    this.start = start;
    this.end = start;
  }

  /** False when there is none any more. */
  next(): boolean {
    if (this.end === this.#limit) return false;
    this.start = this.end;
    const tag = this.#varint();
    this.number = tag >>> 3;
    this.wireType = tag & 7;
    if (this.number === 0) throw new Malformed("a field has the number 0");
    const length = this.#length();
    if (this.start + length > this.#limit) throw new Malformed("a field is longer than what it is in");
    this.end = this.start + length;
    return true;
  }

  /** Of the content that begins at `start`; moves it behind the length, where there is one. */
  #length(): number {
    switch (this.wireType) {
      case wireType.varint:
        return this.#varintBytes();
      case wireType.fixed64:
        return 8;
      case wireType.lengthDelimited:
        return this.#varint();
      case wireType.fixed32:
        return 4;
      default:
        throw new Malformed(`a field has the wire type ${this.wireType}`);
    }
  }

  /** A tag or a length, both of 32 bits; moves `start` behind it. */
  #varint(): number {
    let value = 0;
    for (let shift = 0; shift < maxTagBytes * 7; shift += 7) {
      const byte = this.#bytes[this.start++];
      if (byte === undefined || (shift === 28 && byte > 0x0f)) break;
      value |= (byte & 0x7f) << shift;
      if (byte < 0x80) return value >>> 0;
    }
    throw new Malformed("a tag or a length is cut off or too long");
  }

  #varintBytes(): number {
    for (let count = 1; count <= maxVarintBytes; count++) {
      const byte = this.#bytes[this.start + count - 1];
      if (byte === undefined) break;
      if (byte < 0x80) return count;
    }
    throw new Malformed("a number is cut off or too long");
  }
}

/** The content of a field that is no list, in the message at `at`: where it is there more than once, the last one holds. */
export function lastField(bytes: Uint8Array, at: Range, fieldNumber: number): Range | undefined {
  let found: Range | undefined;
  for (const fields = new Fields(bytes, at.start, at.end); fields.next(); ) {
    if (fields.number === fieldNumber) found = { start: fields.start, end: fields.end };
  }
  return found;
}
