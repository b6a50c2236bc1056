/**
 * The guide for people who come from elsewhere: the same task in each tool, run as its file says, and in Throughline.
 * In all of them one e-mail is written at once; the other fails three times, is kept, and is written once the provider
 * is mended and it was brought back.
 */

import { describe, expect, test } from "bun:test";
import { cp, symlink } from "node:fs/promises";
import { join } from "node:path";
import { type ElasticMqPart, startElasticMq } from "../parts/elasticmq.ts";
import { nodeModules, pythonPath } from "../parts/peers.ts";
import { startRedis } from "../parts/redis.ts";
import { eventually } from "../support/eventually.ts";
import { compiledExecutable, projectFolder } from "../support/executable.ts";
import { type MailProvider, startMailProvider } from "../support/mail-provider.ts";
import { codeBlocks, readDoc, sectionBelow } from "../support/markdown.ts";
import { freePorts, startThroughline } from "../support/process.ts";
import { describeWith } from "../support/requires.ts";
import { startShell } from "../support/shell.ts";
import { tempFolder } from "../support/temp-folder.ts";

const timeoutMs = 180_000;
const examples = join(projectFolder, "examples/coming-from");
const guide = await readDoc("docs/coming-from.md");
const ada = "ada@example.org";
const bounce = "bounce@example.org";

describe("the guide", () => {
  test.each([
    ["From BullMQ", "bullmq", "js"],
    ["From Celery", "celery", "py"],
    ["From sqs-consumer", "sqs-consumer", "js"],
  ])("%s shows the files of examples/coming-from/%s", async (section, folder, language) => {
    const shown = codeBlocks(sectionBelow(guide, section), language).map((block) => {
      const [, name = "", code = ""] = /^(?:\/\/|#) (\S+)\n([\s\S]*)$/.exec(block) ?? [];
      return { name, code };
    });
    const names = [...new Bun.Glob("*").scanSync(join(examples, folder))].sort();
    expect(shown.map(({ name }) => name).sort()).toEqual(names);
    for (const { name, code } of shown) expect(code).toBe(await readDoc(`examples/coming-from/${folder}/${name}`));
  });

  test("shows the handler of the example", async () => {
    const file = await readDoc("examples/coming-from/throughline/handlers/welcome.ts");
    expect(codeBlocks(sectionBelow(guide, "In Throughline"), "ts")).toEqual([file]);
  });
});

interface Peer extends AsyncDisposable {
  env: Record<string, string>;
  worker: string;
  submit: string;
  bringBack: string;
}

/** Runs a peer's files in a folder of its own: their packages lie beside them, as for its users. */
async function expectSameStory(folder: string, startPeer: () => Promise<Peer>): Promise<void> {
  await using peer = await startPeer();
  await using provider = startMailProvider();
  await using copy = await tempFolder();
  await cp(join(examples, folder), copy.path, { recursive: true });
  await symlink(nodeModules(), join(copy.path, "node_modules"));
  const options = { cwd: copy.path, env: { ...peer.env, PROVIDER_URL: provider.url } };
  await using worker = startShell(peer.worker, options);
  await run(peer.submit, options);
  try {
    await untilGivenUp(provider);
    provider.mend();
    await eventually(
      async () => {
        if (!provider.written.includes(bounce)) await run(peer.bringBack, options);
        return provider.written.includes(bounce);
      },
      { timeoutMs: timeoutMs / 3, intervalMs: 500 },
    );
    expect(provider.written).toEqual([ada, bounce]);
  } catch (error) {
    throw new Error(`the worker printed:\n${worker.output()}`, { cause: error });
  }
}

async function untilGivenUp(provider: MailProvider): Promise<void> {
  const asks = (whom: string) => provider.asked.filter((to) => to === whom).length;
  await eventually(() => asks(bounce) >= 3 && asks(ada) >= 1, { timeoutMs: timeoutMs / 3 });
  expect([asks(ada), asks(bounce)]).toEqual([1, 3]);
}

async function run(commandLine: string, options: { cwd: string; env: Record<string, string> }): Promise<void> {
  await using shell = startShell(commandLine, options);
  const exitCode = await shell.exited;
  expect({ exitCode, said: exitCode === 0 ? "" : shell.output() }).toEqual({ exitCode: 0, said: "" });
}

describeWith("nodePeers", "redis")("BullMQ", () => {
  const start = async (): Promise<Peer> => {
    const redis = await startRedis();
    return {
      env: { REDIS_URL: redis.url },
      worker: "node worker.mjs",
      submit: `node submit.mjs ${ada} ${bounce}`,
      bringBack: "node retry-failed.mjs",
      [Symbol.asyncDispose]: () => redis.stop(),
    };
  };
  test("tells the story", () => expectSameStory("bullmq", start), timeoutMs);
});

describeWith(
  "celery",
  "nodePeers",
  "redis",
)("Celery", () => {
  const start = async (): Promise<Peer> => {
    const redis = await startRedis();
    return {
      env: { REDIS_URL: redis.url, PYTHONPATH: pythonPath(), PYTHONDONTWRITEBYTECODE: "1" },
      worker: "python3 -m celery -A welcome worker --pool=threads --concurrency=4 --loglevel=WARNING",
      submit: `python3 submit.py ${ada} ${bounce}`,
      bringBack: `python3 submit.py ${bounce}`,
      [Symbol.asyncDispose]: () => redis.stop(),
    };
  };
  test("tells the story", () => expectSameStory("celery", start), timeoutMs);
});

describeWith("nodePeers", "elasticmq")("sqs-consumer", () => {
  const conf = 'queues { welcome { deadLettersQueue { name = "welcome-dlq", maxReceiveCount = 3 } }, welcome-dlq {} }';
  const toEnv = (broker: ElasticMqPart): Record<string, string> => ({
    QUEUE_URL: `${broker.url}/000000000000/welcome`,
    DEAD_LETTER_ARN: "arn:aws:sqs:elasticmq:000000000000:welcome-dlq",
    AWS_ENDPOINT_URL_SQS: broker.url,
    AWS_REGION: "elasticmq",
    AWS_ACCESS_KEY_ID: "x",
    AWS_SECRET_ACCESS_KEY: "x",
  });
  const start = async (): Promise<Peer> => {
    const broker = await startElasticMq({ conf });
    return {
      env: toEnv(broker),
      worker: "node worker.mjs",
      submit: `node submit.mjs ${ada} ${bounce}`,
      bringBack: "node retry-failed.mjs",
      [Symbol.asyncDispose]: () => broker.stop(),
    };
  };
  test("tells the story", () => expectSameStory("sqs-consumer", start), timeoutMs);
});

describe("Throughline", () => {
  const commands = codeBlocks(sectionBelow(guide, "In Throughline"), "sh").flatMap((block) => block.trim().split("\n"));
  const commandWith = (words: string): string => {
    const found = commands.find((line) => line.includes(words));
    if (found === undefined) throw new Error(`the guide has no command with "${words}"`);
    return found;
  };

  test(
    "tells the story, with the guide's commands, in one trace each",
    async () => {
      await using provider = startMailProvider();
      await using data = await tempFolder();
      const [, ...serve] = commandWith("serve").split(" ");
      await using throughline = await startThroughline(
        [...serve, ...freePorts, `--data-dir=${data.path}`, "--threads=1", "--retry-base=100ms"],
        {
          cwd: join(examples, "throughline"),
          env: { PROVIDER_URL: provider.url },
        },
      );
      const env = { THROUGHLINE_URL: throughline.addresses.gateway_url ?? "" };
      const executable = await compiledExecutable();
      const cli = (line: string) => line.replace(/^throughline/, executable);
      const submit = commandWith("task submit");
      await run(cli(submit), { cwd: projectFolder, env });
      await using refused = startShell(cli(submit.replace(ada, bounce)), { env });
      expect(await refused.exited).toBe(1);
      expect(provider.asked).toEqual([ada, bounce, bounce, bounce]);

      provider.mend();
      await using list = startShell(cli(commandWith("dlq list")), { env });
      await list.exited;
      expect(list.output()).toContain("the provider answered 500");
      await run(cli(commandWith("dlq redrive")), { cwd: projectFolder, env });
      await eventually(() => provider.written.includes(bounce));
      expect(provider.written).toEqual([ada, bounce]);

      const traceIds = provider.traces.map((trace) => trace?.split("-")[1]);
      expect(traceIds[0]).toMatch(/^[0-9a-f]{32}$/);
      expect(new Set(traceIds.slice(1, 4)).size).toBe(1);
    },
    timeoutMs,
  );
});
