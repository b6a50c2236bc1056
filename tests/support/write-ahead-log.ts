/** SQLite's write-ahead log as bytes: "The WAL File Format" of sqlite.org/fileformat2. */

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

function saltAt(view: DataView, offset: number): string {
  return `${view.getUint32(offset)}/${view.getUint32(offset + 4)}`;
}
