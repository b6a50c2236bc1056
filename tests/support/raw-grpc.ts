/** A gRPC call as nobody's library would make it, byte by byte, over HTTP/2 without TLS. */

import { connect } from "node:http2";

export interface RawGrpcCall {
  /** `/tasks.TaskService/GetTask`. */
  path: string;
  headers?: Record<string, string>;
  /** What is sent as the message, as the header before it says: whether compressed, and how long. */
  body: Uint8Array;
  isCompressed?: boolean;
  announcedLength?: number;
}

/** The call's `grpc-status`, which may come with the headers or behind the message. */
export async function rawGrpcStatus(url: string, call: RawGrpcCall): Promise<number> {
  const session = connect(url);
  try {
    return await statusOf(session, call);
  } finally {
    session.destroy();
  }
}

function statusOf(session: ReturnType<typeof connect>, call: RawGrpcCall): Promise<number> {
  const { path, headers = {}, body, isCompressed = false, announcedLength = body.byteLength } = call;
  return new Promise((resolve, reject) => {
    const stream = session.request({
      ":method": "POST",
      ":path": path,
      "content-type": "application/grpc+proto",
      te: "trailers",
      ...headers,
    });
    let status: number | undefined;
    const read = (received: Record<string, unknown>): void => {
      if (received["grpc-status"] !== undefined) status = Number(received["grpc-status"]);
    };
    stream.on("response", read);
    stream.on("trailers", read);
    stream.on("data", () => {});
    stream.on("error", reject);
    session.on("error", reject);
    stream.on("close", () => (status === undefined ? reject(new Error("there was no grpc-status")) : resolve(status)));
    const header = new DataView(new ArrayBuffer(5));
    header.setUint8(0, isCompressed ? 1 : 0);
    header.setUint32(1, announcedLength);
    stream.end(Buffer.concat([new Uint8Array(header.buffer), body]));
  });
}
