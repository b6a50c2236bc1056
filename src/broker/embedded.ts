/**
 * The embedded broker: an SQS-protocol server in its own thread, on loopback by default. It keeps messages in memory
 * only: the truth is in the store, and each start of the broker makes every live task due for sending again. One process
 * per data folder: it holds the folder's lock.
 */

import { urlOf } from "../http/listen.ts";
import { lockFolder } from "./folder-lock.ts";
import { type BrokerFigures, startBrokerServer } from "./server.ts";

export interface EmbeddedBroker {
  /** Where this process reaches it. */
  endpoint: string;
  figures(): BrokerFigures;
  stop(): Promise<void>;
}

const loopback = "127.0.0.1";
/** Hosts that stand for every address of the machine. */
const everyAddress = ["0.0.0.0", "::"];

/** Starts on `port`; 0 takes a free one. Rejects when another process runs the broker of this folder. */
export async function startEmbeddedBroker(folder: string, port: number, host = loopback): Promise<EmbeddedBroker> {
  const lock = lockFolder(folder);
  try {
    const { listener, figures, stop } = await startBrokerServer({ host, port });
    return {
      endpoint: urlOf({ host: everyAddress.includes(host) ? loopback : host, port: listener.port }),
      figures,
      stop: async () => {
        await stop();
        lock.close();
      },
    };
  } catch (error) {
    lock.close();
    throw error;
  }
}
