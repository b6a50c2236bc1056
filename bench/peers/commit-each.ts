/** `bun commit-each.ts FILE`: takes tasks over HTTP, and commits each to SQLite before it answers 202. */

import { Database } from "bun:sqlite";

const database = new Database(Bun.argv[2] ?? "", { create: true });
// As Throughline has it: the write-ahead log, and every commit on the disk.
database.run("PRAGMA journal_mode = WAL");
database.run("PRAGMA synchronous = FULL");
database.run("CREATE TABLE tasks (id TEXT PRIMARY KEY, body TEXT NOT NULL)");
const insert = database.prepare("INSERT INTO tasks VALUES (?, ?)");
const server = Bun.serve({
  hostname: "127.0.0.1",
  port: 0,
  fetch: async (request) => {
    const body = await request.json();
    const id = Bun.randomUUIDv7();
    insert.run(id, JSON.stringify(body));
    return Response.json({ id }, { status: 202 });
  },
});
process.stdout.write(`listens on ${server.port}\n`);
