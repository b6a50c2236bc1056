/** An OTLP receiver at a real socket that gives what came in, read. */

import { createReceiver, type DecodedSink, toSink } from "../../src/console/receiver.ts";
import { type Address, type Listener, listen } from "../../src/http/listen.ts";

/** Rejects when the address is taken, as `listen` does. */
export function startReceiver(address: Address, sink: DecodedSink): Promise<Listener> {
  return listen(address, createReceiver(toSink(sink)));
}
