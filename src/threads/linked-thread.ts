/** A thread together with the line of questions and answers to it. */

import { spawnThread, type Thread, type ThreadPart } from "../spawn.ts";
import { createLink, type Link, type LinkHandlers } from "./thread-link.ts";

/** A thread that answers questions. */
export interface LinkedThread {
  link: Link;
  terminate(): void;
  /** Ends it as if it had crashed. */
  crash(): void;
}

export function startLinkedThread(
  part: ThreadPart,
  name: string,
  handlers: LinkHandlers,
  onExit: (reason: string) => void,
): LinkedThread {
  const exit = (reason: string): void => {
    link.close(`the thread ${name} ended: ${reason}`);
    onExit(reason);
  };
  const thread: Thread = spawnThread(part, name, { onMessage: (message) => link.receive(message), onExit: exit });
  const link = createLink((message, transfer) => thread.post(message, transfer), handlers);
  return {
    link,
    terminate: () => {
      thread.terminate();
      link.close(`the thread ${name} was ended`);
    },
    crash: () => {
      thread.terminate();
      exit("it was ended");
    },
  };
}
