/**
 * Under what the file finds a trace or a task: a number of 53 bits, so that an index of many millions stays small. Pure.
 * Two ids may have the same: what is found is looked at.
 */

/** Two mixes of 32 bits (MurmurHash3's finalizer, Austin Appleby). `bytes` from `start` to `end`. */
export function toKey(bytes: Uint8Array, start = 0, end = bytes.length): number {
  let low = 0x9e3779b9;
  let high = 0x85ebca6b;
  for (let at = start; at < end; at++) {
    const byte = bytes[at] ?? 0;
    low = Math.imul(low ^ byte, 0x85ebca6b);
    high = Math.imul(high ^ byte, 0xc2b2ae35);
  }
  return (mix(high) & 0x1fffff) * 2 ** 32 + (mix(low ^ high) >>> 0);
}

function mix(value: number): number {
  const first = Math.imul(value ^ (value >>> 16), 0x85ebca6b);
  const second = Math.imul(first ^ (first >>> 13), 0xc2b2ae35);
  return second ^ (second >>> 16);
}
