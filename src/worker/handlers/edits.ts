/**
 * The handlers' folder while it is edited: whenever a file in it changes, its subfolders included, the handlers are
 * loaded again and their types registered. However fast the edits come, one load is under way and at most one waits.
 * Promises that edits which do not load leave the handlers in force that did.
 */

import { relative, sep } from "node:path";
import { watch } from "chokidar";
import type { Config } from "../../config.ts";
import { type Clock, systemClock } from "../../limits/clock.ts";
import type { Logger } from "../../telemetry/logs/log.ts";
import { toTaskError } from "../../words/errors.ts";
import type { ThreadPool } from "../threads/pool.ts";

interface EditsDeps {
  config: Pick<Config, "handlers">;
  pool: Pick<ThreadPool, "reload" | "types">;
  /** Tells the store of the pool's types. */
  register: () => Promise<void>;
  log: Logger;
  clock?: Clock;
}

interface Edits {
  /** From now on no edit is missed. */
  ready: Promise<void>;
  /** No load is under way any more. */
  close(): Promise<void>;
}

/** An editor writes several files, or one in several steps. */
const quietMs = 100;
/** Names logged of one load. */
const maxNames = 10;

export function watchHandlers({ config, pool, register, log, clock = systemClock }: EditsDeps): Edits {
  const folder = config.handlers;
  if (folder === undefined) return { ready: Promise.resolve(), close: async () => {} };
  const stopping = new AbortController();
  const changed = new Set<string>();
  let loading: Promise<void> | undefined;

  const loadAll = async (): Promise<void> => {
    while (changed.size > 0 && !stopping.signal.aborted) {
      // Until a while has passed in which no further file changed.
      for (let count = 0; count < changed.size; ) {
        count = changed.size;
        await clock.sleep(quietMs, stopping.signal);
      }
      const files = [...changed].sort();
      changed.clear();
      if (!stopping.signal.aborted) await load(files);
    }
    loading = undefined;
  };

  const load = async (files: readonly string[]): Promise<void> => {
    const before = namesOf(pool);
    const changes = { changed: files.slice(0, maxNames), changed_count: files.length };
    try {
      await pool.reload();
      await register();
      const after = namesOf(pool);
      const [added, removed] = [without(after, before), without(before, after)];
      log.info("handlers loaded again", { ...changes, added, removed });
    } catch (thrown) {
      if (stopping.signal.aborted) return;
      const error = toTaskError(thrown);
      log.error("handlers do not load, the ones before stay in force", {
        ...changes,
        problems: error.message.split("\n"),
      });
    }
  };

  const watcher = watch(folder, {
    ignoreInitial: true,
    ignored: (path) => /(^|[/\\])(node_modules$|\.)/.test(relative(folder, path)),
  });
  watcher.on("all", (event, path) => {
    if (event === "addDir" || event === "unlinkDir") return;
    changed.add(relative(folder, path).replaceAll(sep, "/"));
    loading ??= loadAll();
  });
  watcher.on("error", (error) => log.warn("the handlers' folder cannot be watched", { error: toTaskError(error) }));

  return {
    ready: new Promise((resolve) => watcher.once("ready", resolve)),
    close: async () => {
      stopping.abort();
      await watcher.close();
      await loading;
    },
  };
}

function namesOf(pool: EditsDeps["pool"]): string[] {
  return pool.types().map(({ type }) => type);
}

function without(names: readonly string[], others: readonly string[]): string[] {
  return names.filter((name) => !others.includes(name));
}
