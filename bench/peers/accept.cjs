/** What all peers share: a front over HTTP, and what their handlers do. */

const { createServer } = require("node:http");

/** `POST /tasks` with JSON, answered 202 with an id once `add(body)` has resolved to it. */
exports.accept = function accept(add) {
  const server = createServer((request, answer) => {
    let text = "";
    request.setEncoding("utf8");
    request.on("data", (chunk) => {
      text += chunk;
    });
    request.on("end", async () => {
      try {
        const id = await add(JSON.parse(text));
        const body = JSON.stringify({ id });
        answer.writeHead(202, { "content-type": "application/json", "content-length": body.length }).end(body);
      } catch (error) {
        const text = Buffer.from(String(error));
        answer.writeHead(503, { "content-length": text.length }).end(text);
      }
    });
  });
  server.keepAliveTimeout = 60_000;
  server.listen(0, "127.0.0.1", () => process.stdout.write(`listens on ${server.address().port}\n`));
};

/** What a handler does with its payload. */
exports.handler = async () => (await import("../done.mjs")).done;

/** Tells who started this process that it is ready. */
exports.isReady = () => process.stdout.write("listens on 0\n");
