/** The view of one dead letter: why it is dead, and what can be done; or of a redrive, whose address begins the same. */

import { useState } from "preact/hooks";
import { layOut, textOf } from "../../../words/json-text.ts";
import { useAnswer } from "../api.ts";
import type { DeadLetter } from "../dead-letter.ts";
import { addressOf } from "../location.ts";
import { CopyButton } from "../parts/controls.tsx";
import { Time } from "../parts/time.tsx";
import { PageHead, Problem } from "../parts/view.tsx";
import { useShortcuts } from "../shortcuts.ts";

import { DiscardDialog, EditDialog, RedriveDialog } from "./dead-letters/dialogs.tsx";
import { RedriveView } from "./dead-letters/redrives.tsx";

const redrives = "redrives/";

export function DeadLetterPage({ id }: { id: string }) {
  return id.startsWith(redrives) ? <RedriveView id={id.slice(redrives.length)} /> : <Letter id={id} />;
}

type Way = "redrive" | "edit" | "discard";

function Letter({ id }: { id: string }) {
  const { data: letter, problem, again } = useAnswer<DeadLetter>(`/dead-letters/${encodeURIComponent(id)}`);
  const [way, setWay] = useState<Way>();
  const isGone = problem?.status === 404;
  const begin = (which: Way) => letter && !isGone && setWay(which);
  useShortcuts([
    { keys: "r", title: "Redrive", act: () => begin("redrive") },
    { keys: "e", title: "Edit the payload and redrive", act: () => begin("edit") },
  ]);
  return (
    <>
      <PageHead
        title={
          <>
            <a href="/dead-letters">Dead letters</a> <span class="quiet">/</span> {letter?.task.type ?? "task"}{" "}
            <span class="mono quiet">{id.slice(-8)}</span>
          </>
        }
      >
        <button type="button" class="danger" disabled={!letter || isGone} onClick={() => begin("discard")}>
          Discard…
        </button>
        <button type="button" disabled={!letter || isGone} onClick={() => begin("edit")}>
          Edit payload…
        </button>
        <button type="button" class="primary" disabled={!letter || isGone} onClick={() => begin("redrive")}>
          Redrive…
        </button>
      </PageHead>
      {isGone && (
        <div class="note">
          It is not dead any more: it was brought back or discarded. <a href={`/tasks/${id}`}>See what became of it</a>
        </div>
      )}
      {problem && !isGone && <Problem problem={problem} again={again} />}
      {letter && <Facts letter={letter} />}
      {letter && way === "redrive" && (
        <RedriveDialog selection={{ ids: [id] }} what="this task" onClose={() => setWay(undefined)} />
      )}
      {letter && way === "edit" && <EditDialog task={letter.task} onClose={() => setWay(undefined)} />}
      {letter && way === "discard" && (
        <DiscardDialog id={id} onClose={() => setWay(undefined)} onDone={() => again()} />
      )}
    </>
  );
}

function Facts({ letter: { task, reason, died_at, redrives: count, group } }: { letter: DeadLetter }) {
  const payload = layOut(textOf(task.payload));
  return (
    <div class="letter">
      <section class="died">
        <h2>{task.error?.type ?? reason.replaceAll("_", " ")}</h2>
        {task.error && <p class="bad">{task.error.message}</p>}
      </section>
      <dl class="letter-facts">
        <dt>Died</dt>
        <dd>
          <Time at={died_at} />
        </dd>
        <dt>Because</dt>
        <dd>{reason.replaceAll("_", " ")}</dd>
        <dt>Attempts</dt>
        <dd>
          {task.attempt} of {task.max_attempts}
        </dd>
        <dt>Redrives before</dt>
        <dd>{count}</dd>
        <dt>Died of the same</dt>
        <dd>
          <a href={addressOf("/dead-letters", { type: task.type, group })}>the group</a>
        </dd>
        <dt>Whole story</dt>
        <dd>
          <a href={`/tasks/${task.id}`}>task and trace</a>
        </dd>
        <dt>Task id</dt>
        <dd class="mono">
          {task.id} <CopyButton text={task.id} what="id" />
        </dd>
      </dl>
      <section>
        <h2>
          Payload <CopyButton text={payload} what="payload" />
        </h2>
        <pre class="json">{payload}</pre>
      </section>
      <section>
        <h2>Attempts</h2>
        <ol class="letter-attempts">
          {task.attempts.map(({ number, outcome, error, started_at }) => (
            <li key={number}>
              <b class="number">{number}</b> {outcome ?? "runs"} <Time at={started_at} />
              {error && (
                <p class="bad">
                  {error.type}: {error.message}
                </p>
              )}
            </li>
          ))}
        </ol>
      </section>
    </div>
  );
}
