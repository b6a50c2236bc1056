/** The end of stdout: all that was written arrives before the process ends, unless nobody takes it any more. */

/** Resolves when stdout takes nothing more: `head` has had enough, the disk is full. No failure of either stream ends the process. */
export function outputFailure(): Promise<Error> {
  process.stderr.on("error", () => {});
  return new Promise((resolve) => process.stdout.on("error", resolve));
}

/** Of a process that serves: whoever reads its log and has stopped must not keep it. A person may read for hours. */
export const logLimitMs = 2000;

/** Resolves once all is written, or `limitMs` is over. On Bun `process.exit` drops what a pipe has not taken yet. */
export async function endOutput(limitMs?: number): Promise<void> {
  const over = Promise.withResolvers<void>();
  const timer = limitMs === undefined ? undefined : setTimeout(over.resolve, limitMs);
  const ends = [process.stdout, process.stderr].map(
    (stream) => new Promise<void>((resolve) => stream.end(() => resolve())),
  );
  await Promise.race([Promise.all(ends), over.promise]);
  clearTimeout(timer);
}
