/**
 * One connection of a caller, kept alive, written on the socket itself: what a client library costs would otherwise be
 * the larger part of the measurement. Answers must say their length, as those of all contestants do.
 */

export interface Connection {
  /** One at a time, of plain ASCII. Resolves to the status of the answer; 0 when the connection was lost before it came. */
  post(body: string): Promise<number>;
  close(): void;
}

/** Opens when it is first used, and again after it was closed by the other side. */
export function createConnection(url: URL): Connection {
  const answer = createAnswer();
  let opening: Promise<Bun.Socket> | undefined;
  let current: Bun.Socket | undefined;
  // Its characters are bytes.
  let unsent = "";

  const lose = (socket: Bun.Socket): void => {
    // An error is followed by a close, and by then there may be another socket.
    if (socket !== current) return;
    opening = undefined;
    current = undefined;
    answer.end(0);
  };
  const flush = (socket: Bun.Socket): void => {
    if (unsent !== "") unsent = unsent.slice(Math.max(0, socket.write(unsent)));
  };
  const open = (): Promise<Bun.Socket> =>
    Bun.connect({
      hostname: url.hostname,
      port: Number(url.port),
      socket: {
        open: (socket) => {
          current = socket;
        },
        drain: flush,
        data: (_, bytes) => answer.receive(bytes),
        error: lose,
        close: lose,
      },
    });

  return {
    post: async (body) => {
      opening ??= open();
      let socket: Bun.Socket;
      try {
        socket = await opening;
      } catch {
        opening = undefined;
        return 0;
      }
      if (socket !== current) return 0;
      const status = answer.next();
      unsent = `POST ${url.pathname} HTTP/1.1\r\nHost: ${url.host}\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body}`;
      flush(socket);
      return status;
    },
    close: () => void opening?.then((socket) => socket.end()).catch(() => undefined),
  };
}

interface Answer {
  /** Resolves to the status of the next one, once it has come whole. */
  next(): Promise<number>;
  receive(bytes: Buffer): void;
  end(status: number): void;
}

function createAnswer(): Answer {
  let answered: ((status: number) => void) | undefined;
  let head = "";
  /** Of the body; -1: its head has not come yet. */
  let missing = -1;
  let status = 0;

  const end = (result: number): void => {
    const tell = answered;
    answered = undefined;
    head = "";
    missing = -1;
    tell?.(result);
  };
  return {
    next: () => {
      const { promise, resolve } = Promise.withResolvers<number>();
      answered = resolve;
      return promise;
    },
    receive: (bytes) => {
      if (missing < 0) {
        head += bytes.toString("latin1");
        const length = head.indexOf("\r\n\r\n");
        if (length < 0) return;
        status = Number(head.slice(9, 12));
        missing = bodyLength(head.slice(0, length)) - (head.length - length - 4);
      } else missing -= bytes.length;
      if (missing === 0) end(status);
    },
    end,
  };
}

function bodyLength(head: string): number {
  const length = /\r\ncontent-length: *(\d+)/i.exec(head)?.[1];
  if (length === undefined) throw new Error(`an answer without a length: ${head}`);
  return Number(length);
}
