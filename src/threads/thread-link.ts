/** Questions and answers between two threads, over any channel that posts messages. Errors cross as plain failures. */

import { spawnThread, type Thread, type ThreadPart } from "../spawn.ts";
import { type ErrorCode, type Failure, meanings, TaskError, toFailure } from "../words/errors.ts";

type Message =
  | { ask: string; number: number; argument: unknown }
  | { tell: string; argument: unknown }
  | { answer: number; value: unknown }
  | { answer: number; failure: Failure };

/** What the other side may ask or tell, by name. */
export type LinkHandlers = Record<string, (argument: never) => unknown>;

export interface Link {
  /** Rejects with the other side's error. The caller names the answer's type: both sides are of one program. */
  ask<T>(name: string, argument?: unknown, transfer?: Transferable[]): Promise<T>;
  tell(name: string, argument?: unknown): void;
  /** To be given every message that arrives. */
  receive(message: unknown): void;
  /** Fails every open question, and those that come later: the other side is gone. */
  close(reason: string): void;
}

interface Asked {
  resolve(value: unknown): void;
  reject(error: unknown): void;
}

export function createLink(post: (message: unknown, transfer?: Transferable[]) => void, handlers: LinkHandlers): Link {
  const open = new Map<number, Asked>();
  let lastNumber = 0;
  let closedBecause: string | undefined;

  const answer = async (name: string, number: number, argument: unknown): Promise<void> => {
    try {
      post({ answer: number, value: await handle(name, argument) } satisfies Message);
    } catch (error) {
      post({ answer: number, failure: toFailure(error) } satisfies Message);
    }
  };

  const handle = (name: string, argument: unknown): unknown => {
    const handler = handlers[name];
    if (!handler) throw new TaskError("unimplemented", `no handler for "${name}"`);
    // The border between threads: names and arguments are those of this same program.
    return handler(argument as never);
  };

  return {
    ask: <T>(name: string, argument?: unknown, transfer?: Transferable[]) =>
      new Promise<T>((resolve, reject) => {
        if (closedBecause !== undefined) return reject(new TaskError("unavailable", closedBecause));
        const number = ++lastNumber;
        open.set(number, { resolve: (value) => resolve(value as T), reject });
        post({ ask: name, number, argument } satisfies Message, transfer);
      }),
    tell: (name, argument) => post({ tell: name, argument } satisfies Message),
    receive: (received) => {
      // The other side is this same program.
      const message = received as Message;
      if ("ask" in message) void answer(message.ask, message.number, message.argument);
      else if ("tell" in message) handle(message.tell, message.argument);
      else {
        const asked = open.get(message.answer);
        open.delete(message.answer);
        if ("failure" in message) asked?.reject(fromFailure(message.failure));
        else asked?.resolve(message.value);
      }
    },
    close: (reason) => {
      closedBecause ??= reason;
      for (const asked of open.values()) asked.reject(new TaskError("unavailable", reason));
      open.clear();
    },
  };
}

function fromFailure(failure: Failure): TaskError {
  const isCode = Object.hasOwn(meanings, failure.type);
  return new TaskError(isCode ? (failure.type as ErrorCode) : "internal", failure.message);
}

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
