/** The entry of every thread: the first message says what to become. */

import type { Config, Role } from "./config.ts";
import type { Health } from "./http/health.ts";
import type { RunningRole } from "./role.ts";
import type { Become } from "./spawn.ts";
import type { SqliteLocation } from "./store/sqlite/connection.ts";
import { createLineBatch } from "./threads/batched-post.ts";
import { createLink, type Link, type LinkHandlers } from "./threads/thread-link.ts";
import type { HandlerThreadStart } from "./worker/handlers/handler-thread.ts";
import { type Packet, packAnswer, type ToHandlerThread, unpackMessages } from "./worker/threads/thread-messages.ts";

/** The few words of a worker's global scope that are used here; the DOM library types a page instead. */
interface ThreadScope {
  postMessage(message: unknown, transfer?: Transferable[]): void;
  onmessage: ((event: MessageEvent) => void) | null;
}

// In a thread the global object is the worker's scope.
const scope = globalThis as unknown as ThreadScope;

/** Messages that come while the thread's code is still being loaded wait here. */
let receive: (message: unknown) => void = (message) => early.push(message);
const early: unknown[] = [];

scope.onmessage = (event: MessageEvent<Become>) => {
  const { become } = event.data;
  scope.onmessage = ({ data }) => receive(data);
  void parts[become]().then((receiver) => {
    receive = receiver;
    for (const message of early.splice(0)) receiver(message);
  });
};

type Receiver = (message: unknown) => void;

const parts: Record<Become["become"], () => Promise<Receiver>> = {
  store: async () => {
    const { startStoreThread } = await import("./store/sqlite/thread.ts");
    let thread: ReturnType<typeof startStoreThread> | undefined;
    return linked({
      open: (location: SqliteLocation) => {
        thread = startStoreThread(location);
      },
      serve: (port: MessagePort) => thread?.serve(port),
      close: () => thread?.close(),
    }).receive;
  },

  broker: async () => {
    const { startEmbeddedBroker } = await import("./broker/embedded.ts");
    let broker: Awaited<ReturnType<typeof startEmbeddedBroker>> | undefined;
    return linked({
      start: async ({ folder, port, host }: { folder: string; port: number; host: string | undefined }) => {
        broker = await startEmbeddedBroker(folder, port, host);
        return broker.endpoint;
      },
      figures: () => broker?.figures(),
      stop: () => broker?.stop(),
    }).receive;
  },

  backup: async () => {
    const { copyDatabase } = await import("./store/sqlite/connection.ts");
    return linked({ copy: copyDatabase }).receive;
  },

  role: async () => {
    const { startRole } = await import("./role.ts");
    let running: RunningRole | undefined;
    const lines = createLineBatch((batch) => link.tell("lines", batch));
    const link: Link = linked({
      start: async ({
        role,
        config,
        storePort,
      }: {
        role: Role;
        config: Config;
        storePort: MessagePort | undefined;
      }) => {
        running = await startRole(role, config, {
          storePort,
          processState: { isReady: () => link.ask<boolean>("isReady"), health: () => link.ask<Health>("health") },
          addresses: () => link.ask<Record<string, string>>("addresses"),
          writeLine: lines.write,
          onKept: (traceId) => link.tell("kept", traceId),
        });
        return running.addresses;
      },
      checks: () => running?.checks() ?? {},
      scrape: () => running?.scrape() ?? [],
      events: () => running?.events(),
      drain: () => running?.drain(),
      stop: async () => {
        await running?.stop();
        lines.flush();
      },
      abort: () => running?.abort(),
      keepTrace: (traceId: string) => running?.keepTrace(traceId),
    });
    return link.receive;
  },

  handlers: async () => {
    const { startHandlerThread } = await import("./worker/handlers/handler-thread.ts");
    let take: ((message: ToHandlerThread) => void) | undefined;
    const waiting: ToHandlerThread[] = [];
    const start = async (first: HandlerThreadStart): Promise<void> => {
      // At once: a handler that never yields again must not hold back what it or another has sent before.
      take = await startHandlerThread(first, (message) => scope.postMessage(packAnswer(message)));
      for (const message of waiting.splice(0)) take(message);
    };
    let isStarted = false;
    return (message) => {
      // The pool's first message is the start, all others are for the runner.
      if (!isStarted) {
        isStarted = true;
        void start(message as HandlerThreadStart);
        return;
      }
      for (const next of unpackMessages(message as Packet)) {
        if (take) take(next);
        else waiting.push(next);
      }
    };
  },
};

function linked(handlers: LinkHandlers): Link {
  return createLink((message, transfer) => scope.postMessage(message, transfer), handlers);
}
