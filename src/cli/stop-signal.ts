/** The two signals with which a process is told to end. */

/** Resolves at the first SIGTERM or SIGINT; calls `again` at the second. */
export function stopSignal(again: () => void): Promise<void> {
  return new Promise((resolve) => {
    let isFirst = true;
    const onSignal = (): void => {
      if (isFirst) resolve();
      else again();
      isFirst = false;
    };
    process.on("SIGTERM", onSignal);
    process.on("SIGINT", onSignal);
  });
}
