/** The front of a peer: `POST /tasks` with JSON, answered 202 with an id once `add(body)` has resolved to it. */

const { createServer } = require("node:http");

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
