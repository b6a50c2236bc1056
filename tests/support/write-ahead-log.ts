/** SQLite's write-ahead log and its index as bytes: sqlite.org/fileformat2 and sqlite.org/walformat. */

import { endianness } from "node:os";

export interface LogPicture {
  /** Another one means that the log was begun anew: all that was in it before is in the database, synced. */
  salt: string;
  /** Where the last transaction in it ends, in bytes; what follows is unfinished, or left from an older beginning. */
  endBytes: number;
}

const headerBytes = 32;
const frameHeaderBytes = 24;

/** Reads what the log says of itself. Checksums are left to SQLite. */
export function readLog(bytes: Uint8Array): LogPicture {
  if (bytes.length < headerBytes) return { salt: "", endBytes: 0 };
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const salt = saltAt(view, 16);
  const frameBytes = frameHeaderBytes + view.getUint32(8);
  let endBytes = headerBytes;
  for (let at = headerBytes; at + frameBytes <= bytes.length && saltAt(view, at + 8) === salt; at += frameBytes) {
    const isCommit = view.getUint32(at + 4) > 0;
    if (isCommit) endBytes = at + frameBytes;
  }
  return { salt, endBytes };
}

/**
 * Where what a checkpoint has begun to write into the database ends in the log, in bytes: the log is synced up to there
 * before the first page is written.
 *
 * @param index The `-shm` file: the page size is in the log, nBackfillAttempted at byte 128, in the order of this machine.
 */
export function syncedForCheckpoint(log: Uint8Array, index: Uint8Array): number {
  if (log.length < headerBytes || index.length < 132) return 0;
  const frameBytes = frameHeaderBytes + new DataView(log.buffer, log.byteOffset, log.byteLength).getUint32(8);
  const frames = new DataView(index.buffer, index.byteOffset, index.byteLength).getUint32(128, endianness() === "LE");
  return frames === 0 ? 0 : headerBytes + frames * frameBytes;
}

function saltAt(view: DataView, offset: number): string {
  return `${view.getUint32(offset)}/${view.getUint32(offset + 4)}`;
}
