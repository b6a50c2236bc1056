/** Lines of a terminal that are drawn again in their place: changed ones only, in one go, so that nothing flickers. */

import { createLogUpdate } from "log-update";

export interface Live extends Disposable {
  draw(lines: readonly string[]): void;
}

/** What was drawn last stays; the cursor comes back, at a signal too. */
export function startLive(stream: NodeJS.WriteStream): Live {
  const update = createLogUpdate(stream);
  return {
    draw: (lines) => update(lines.join("\n")),
    [Symbol.dispose]: () => {
      update.done();
      // The terminal's echo of Ctrl-C, if there is one.
      stream.write("\r\x1b[K");
    },
  };
}
