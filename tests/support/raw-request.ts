/** A request written byte by byte, for what `fetch` would merge, change or refuse. */

import { connect } from "node:net";

/** What the server at `url` answers to these bytes before it closes the connection. */
export function sendBytes(url: string, bytes: string): Promise<string> {
  const { hostname, port } = new URL(url);
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  let answer = "";
  const socket = connect(Number(port), hostname, () => socket.write(bytes));
  socket.setEncoding("utf8");
  socket.on("data", (text) => {
    answer += text;
  });
  socket.on("error", reject);
  socket.on("close", () => resolve(answer));
  return promise;
}

export interface RawAnswer {
  status: number;
  headers: Headers;
  body: string;
}

/** Header lines are sent as they are, in their order, twice when they are there twice. */
export async function sendRequest(
  url: string,
  start: string,
  lines: readonly (readonly [name: string, value: string])[],
  body = "",
): Promise<RawAnswer> {
  const all = [...lines, ["content-length", String(Buffer.byteLength(body))], ["connection", "close"]];
  const head = all.map(([name, value]) => `${name}: ${value}\r\n`).join("");
  return parseAnswer(await sendBytes(url, `${start}\r\n${head}\r\n${body}`));
}

function parseAnswer(text: string): RawAnswer {
  const end = text.indexOf("\r\n\r\n");
  const [first = "", ...lines] = text.slice(0, end).split("\r\n");
  const headers = new Headers(
    lines.map((line): [string, string] => {
      const colon = line.indexOf(":");
      return [line.slice(0, colon), line.slice(colon + 1).trim()];
    }),
  );
  return { status: Number(first.split(" ")[1]), headers, body: text.slice(end + 4) };
}
