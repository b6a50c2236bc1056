/**
 * The SQLite store as a process has it: a thread with the one connection, and a role's line to it. More than one of
 * them on a folder is what several processes on one machine are.
 */

import { type Tracer, trace } from "@opentelemetry/api";
import { spawnThread } from "../../src/spawn.ts";
import type { Store } from "../../src/store/ports/store.ts";
import { connectSqlite } from "../../src/store/sqlite/client.ts";
import { createLink } from "../../src/threads/thread-link.ts";
import { tempFolder } from "./temp-folder.ts";

const table = "tasks";

export interface StoreThread extends AsyncDisposable {
  /** A new line to it, as each role of the process has one. */
  connect(tracer?: Tracer): Promise<Store>;
}

/** Opens the tasks of `folder` in a thread of its own; rejects as the thread does when it cannot. */
export async function startStoreThread(folder: string): Promise<StoreThread> {
  const thread = spawnThread("store", "store", {
    onMessage: (message) => link.receive(message),
    onExit: (reason) => link.close(`the store's thread ended: ${reason}`),
  });
  const link = createLink((message, transfer) => thread.post(message, transfer), {});
  const ports: MessagePort[] = [];
  try {
    await link.ask("open", { folder, table });
  } catch (error) {
    thread.terminate();
    throw error;
  }
  return {
    connect: async (tracer = trace.getTracer("test")) => {
      const { port1, port2 } = new MessageChannel();
      ports.push(port1);
      await link.ask("serve", port2, [port2]);
      return connectSqlite({ port: port1, tracer, table });
    },
    [Symbol.asyncDispose]: async () => {
      for (const port of ports) port.close();
      await link.ask("close");
      thread.terminate();
    },
  };
}

/** A store for one test, whatever keeps it: its tasks are nobody else's. */
export interface TestStore extends AsyncDisposable {
  store: Store;
  /** The same tasks through a connection of its own, as another process has it. */
  connectOther(): Promise<Store>;
  /** Ends every connection, and gives a new one to what is kept. */
  reopen(): Promise<Store>;
}

export type OpenStore = () => Promise<TestStore>;

export async function openSqliteStore(): Promise<TestStore> {
  const folder = await tempFolder();
  const threads: StoreThread[] = [];
  const connect = async (): Promise<Store> => {
    const thread = await startStoreThread(folder.path);
    threads.push(thread);
    return thread.connect();
  };
  const closeAll = async (): Promise<void> => {
    await Promise.all(threads.splice(0).map((thread) => thread[Symbol.asyncDispose]()));
  };
  return {
    store: await connect(),
    connectOther: connect,
    reopen: async () => {
      await closeAll();
      return connect();
    },
    [Symbol.asyncDispose]: async () => {
      await closeAll();
      await folder[Symbol.asyncDispose]();
    },
  };
}
