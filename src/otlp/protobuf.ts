/**
 * The wire format of protobuf (protobuf.dev, "Encoding"), read and written without making objects of messages. What is
 * not well formed throws `Malformed`. Groups are refused: no version of OTLP has had any.
 */

export const wireType = { varint: 0, fixed64: 1, lengthDelimited: 2, fixed32: 5 } as const;

/** Content from `start` to `end`. */
export interface Range {
  start: number;
  end: number;
}

export class Malformed extends Error {}

/** Of a varint. */
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

/** UTF-8 bytes of one UTF-16 unit. */
const maxBytesOfUnit = 3;
const shortText = 40;
/** Some hundred messages. */
const sharedBytes = 65_536;

/** A message in a buffer that it shares with others: an array of its own for each would cost more than to write it. */
export class Written {
  readonly #buffer: Buffer<ArrayBuffer>;
  readonly #start: number;
  readonly #end: number;

  constructor(buffer: Buffer<ArrayBuffer>, start: number, end: number) {
    this.#buffer = buffer;
    this.#start = start;
    this.#end = end;
  }
  get length(): number {
    return this.#end - this.#start;
  }
  copyTo(target: Buffer, at: number): void {
    this.#buffer.copy(target, at, this.#start, this.#end);
  }
  /** Where it is: for a writer that writes nothing else. */
  view(): Uint8Array<ArrayBuffer> {
    return new Uint8Array(this.#buffer.buffer, this.#buffer.byteOffset + this.#start, this.length);
  }
  /** Bytes of their own. */
  toBytes(): Uint8Array<ArrayBuffer> {
    return new Uint8Array(this.#buffer.subarray(this.#start, this.#end));
  }
}

/**
 * Writes messages front to back, one behind the other, into a buffer; when that is full, into another. A message inside
 * another gets its length once it is written: one byte is left for that, and a longer message moves up.
 */
export class ProtobufWriter {
  #bytes: Buffer<ArrayBuffer>;
  #view: DataView;
  /** Of the message. */
  #start = 0;
  #end = 0;

  /** `size`: of the buffer, in bytes. */
  constructor(size = sharedBytes) {
    this.#bytes = Buffer.allocUnsafeSlow(size);
    this.#view = viewOf(this.#bytes);
  }

  /** A message begins; one that was not taken is forgotten. */
  begin(): void {
    this.#end = this.#start;
  }

  /** What was written since. */
  take(): Written {
    const written = new Written(this.#bytes, this.#start, this.#end);
    this.#start = this.#end;
    return written;
  }

  /** Begins a message inside this one; gives what `close` wants. */
  open(field: number): number {
    this.#tag(field, wireType.lengthDelimited);
    this.#end += 1;
    return this.#end - this.#start;
  }

  close(opened: number): void {
    const start = this.#start + opened;
    const length = this.#end - start;
    if (length <= 0x7f) this.#bytes[start - 1] = length;
    else this.#closeLong(opened, length);
  }

  #closeLong(opened: number, length: number): void {
    const more = sizeOf(length) - 1;
    this.#room(more);
    const start = this.#start + opened;
    this.#bytes.copyWithin(start + more, start, this.#end);
    this.#end += more;
    this.#writeVarint(start - 1, length);
  }

  /** Nothing for what is empty. */
  text(field: number, text: string): void {
    if (text !== "") this.wholeText(field, text);
  }

  /** One of several that a field may hold: it is written though it be empty. */
  wholeText(field: number, text: string): void {
    this.#room(text.length * maxBytesOfUnit);
    const start = this.open(field);
    if (text.length > shortText || !this.#writeAscii(text)) this.#end += this.#bytes.write(text, this.#end);
    this.close(start);
  }

  /** False when it is not ASCII. A few characters are written faster one by one than by a call of the runtime. */
  #writeAscii(text: string): boolean {
    const { length } = text;
    const bytes = this.#bytes;
    const start = this.#end;
    for (let index = 0; index < length; index++) {
      const code = text.charCodeAt(index);
      if (code > 0x7f) return false;
      bytes[start + index] = code;
    }
    this.#end = start + length;
    return true;
  }

  /** Bytes that are written in hexadecimal, such as an id. Nothing for what is empty. */
  hex(field: number, digits: string): void {
    if (digits === "") return;
    this.#room(digits.length);
    const opened = this.open(field);
    const bytes = this.#bytes;
    const start = this.#end;
    const count = digits.length >> 1;
    for (let index = 0; index < count; index++) {
      bytes[start + index] = (digitOf(digits.charCodeAt(2 * index)) << 4) | digitOf(digits.charCodeAt(2 * index + 1));
    }
    this.#end = start + count;
    this.close(opened);
  }

  /** Fields that were written before. */
  copy(fields: Uint8Array): void {
    this.#room(fields.length);
    this.#bytes.set(fields, this.#end);
    this.#end += fields.length;
  }

  raw(field: number, bytes: Uint8Array): void {
    this.#tag(field, wireType.lengthDelimited);
    this.#end = this.#writeVarint(this.#end, bytes.length);
    this.copy(bytes);
  }

  message(field: number, written: Written): void {
    this.#tag(field, wireType.lengthDelimited);
    this.#end = this.#writeVarint(this.#end, written.length);
    this.#room(written.length);
    written.copyTo(this.#bytes, this.#end);
    this.#end += written.length;
  }

  /** Nothing for 0. */
  uint(field: number, value: number): void {
    if (value !== 0) this.wholeUint(field, value);
  }

  /** One of several that a field may hold. */
  wholeUint(field: number, value: number): void {
    this.#tag(field, wireType.varint);
    this.#end = this.#writeVarint(this.#end, value);
  }

  /** A whole number from -2^63 to below 2^63. */
  int64(field: number, value: number): void {
    this.#tag(field, wireType.varint);
    // Two's complement: what is negative has ten bytes.
    let low = value >>> 0;
    let high = Math.floor(value / 2 ** 32) >>> 0;
    for (; high > 0; high >>>= 7) {
      this.#bytes[this.#end++] = (low & 0x7f) | 0x80;
      low = ((low >>> 7) | (high << 25)) >>> 0;
    }
    this.#end = this.#writeVarint(this.#end, low);
  }

  double(field: number, value: number): void {
    this.#tag(field, wireType.fixed64);
    this.#view.setFloat64(this.#end, value, true);
    this.#end += 8;
  }

  /** A whole number in 64 bits: a count, or two's complement of what is negative. */
  fixed64(field: number, value: number): void {
    this.#tag(field, wireType.fixed64);
    this.#writeFixed64(value);
  }

  /** A packed list; nothing for an empty one. */
  fixed64s(field: number, values: readonly number[]): void {
    if (values.length === 0) return;
    this.#room(8 * values.length);
    const start = this.open(field);
    for (const value of values) this.#writeFixed64(value);
    this.close(start);
  }

  /** The same of doubles. */
  doubles(field: number, values: readonly number[]): void {
    if (values.length === 0) return;
    this.#room(8 * values.length);
    const start = this.open(field);
    for (const value of values) {
      this.#view.setFloat64(this.#end, value, true);
      this.#end += 8;
    }
    this.close(start);
  }

  /** Nothing for 0. */
  fixed32(field: number, value: number): void {
    if (value === 0) return;
    this.#tag(field, wireType.fixed32);
    this.#view.setUint32(this.#end, value, true);
    this.#end += 4;
  }

  /** Seconds and nanoseconds since the epoch as nanoseconds, which no number of JavaScript holds exactly. */
  nanos(field: number, seconds: number, nanos: number): void {
    this.#tag(field, wireType.fixed64);
    // Both below 2^53.
    const lower = (seconds & 0xffff) * 1e9 + nanos;
    const upper = (seconds >>> 16) * 1e9;
    const low = (((upper & 0xffff) << 16) >>> 0) + (lower >>> 0);
    const carry = Math.floor(lower / 2 ** 32) + Math.floor(low / 2 ** 32);
    this.#view.setUint32(this.#end, low >>> 0, true);
    this.#view.setUint32(this.#end + 4, Math.floor(upper / 2 ** 16) + carry, true);
    this.#end += 8;
  }

  /** Milliseconds since the epoch, with a fraction, as nanoseconds. */
  millis(field: number, ms: number): void {
    const seconds = Math.floor(ms / 1000);
    this.nanos(field, seconds, Math.round((ms - seconds * 1000) * 1e6));
  }

  /** Leaves room for what a field may have besides texts and bytes. */
  #tag(field: number, type: number): void {
    this.#room(2 * maxVarintBytes);
    this.#end = this.#writeVarint(this.#end, (field << 3) | type);
  }

  #writeFixed64(value: number): void {
    this.#view.setUint32(this.#end, value >>> 0, true);
    this.#view.setUint32(this.#end + 4, Math.floor(value / 2 ** 32) >>> 0, true);
    this.#end += 8;
  }

  /** Gives where it ends. */
  #writeVarint(at: number, value: number): number {
    if (value <= 0x7f) {
      this.#bytes[at] = value;
      return at + 1;
    }
    let end = at;
    let left = value;
    for (; left > 0x7f; left = Math.floor(left / 0x80)) this.#bytes[end++] = (left % 0x80) | 0x80;
    this.#bytes[end++] = left;
    return end;
  }

  /** For `more` bytes, and the tag and the length before them. */
  #room(more: number): void {
    const needed = more + 2 * maxVarintBytes;
    if (this.#end + needed <= this.#bytes.length) return;
    // What is no text has no length: no buffer can be made then, which throws.
    this.#move(this.#end - this.#start + needed);
  }

  /** The message goes on in another buffer, where it has at least twice as much room as it needs. */
  #move(neededBytes: number): void {
    const bytes = Buffer.allocUnsafeSlow(Math.max(sharedBytes, 2 * neededBytes));
    this.#end = this.#bytes.copy(bytes, 0, this.#start, this.#end);
    this.#start = 0;
    this.#bytes = bytes;
    this.#view = viewOf(bytes);
  }
}

function viewOf({ buffer, byteOffset, byteLength }: Buffer): DataView {
  return new DataView(buffer, byteOffset, byteLength);
}

function sizeOf(length: number): number {
  let size = 1;
  for (let left = length; left > 0x7f; left = Math.floor(left / 0x80)) size += 1;
  return size;
}

/** `0` to `9` are 0x30 to 0x39, `a` to `f` and `A` to `F` are above 0x40 and end in 1 to 6. */
function digitOf(code: number): number {
  return (code & 0xf) + 9 * (code >> 6);
}
