/** The view of one redrive: how far it is, its brakes, and what has become of what it moved. */

import { useState } from "preact/hooks";
import { send } from "../../api.ts";
import { hasEnded, type Redrive, underwayOf } from "../../dead-letter.ts";
import { addressOf } from "../../location.ts";
import { tellError } from "../../parts/notices.tsx";
import { PageHead } from "../../parts/page-head.tsx";
import { Time } from "../../parts/time.tsx";
import { Problem } from "../../parts/view.tsx";
import { ProgressBar } from "./progress-bar.tsx";
import { useRedrive } from "./use-redrive.ts";

type Command = "pause" | "resume" | "cancel";

export function RedriveView({ id }: { id: string }) {
  const { data: order, problem, again } = useRedrive(id);
  const [isSending, setSending] = useState(false);
  const control = async (command: Command): Promise<void> => {
    setSending(true);
    try {
      await send(`/dead-letters/redrives/${id}/${command}`, undefined);
      again();
    } catch (thrown) {
      tellError(thrown);
    }
    setSending(false);
  };
  const isRunning = order?.status === "running";
  const isOpen = order !== undefined && !hasEnded(order);
  return (
    <>
      <PageHead
        title={
          <>
            <a href="/dead-letters">Dead letters</a> <span class="quiet">/</span> Redrive{" "}
            <span class="mono quiet">{id.slice(-8)}</span>
          </>
        }
      >
        <button
          type="button"
          disabled={!isOpen || isSending}
          onClick={() => void control(isRunning || !isOpen ? "pause" : "resume")}
        >
          {isRunning || !isOpen ? "Pause" : "Go on"}
        </button>
        <button type="button" class="danger" disabled={!isOpen || isSending} onClick={() => void control("cancel")}>
          Cancel
        </button>
      </PageHead>
      {problem && <Problem problem={problem} again={again} />}
      {order && <Progress order={order} id={id} />}
    </>
  );
}

function Progress({ order, id }: { order: Redrive; id: string }) {
  const { outcome, matched, moved, failed, status, rate_per_second: rate, reason, created_at, ended_at } = order;
  return (
    <div class="redrive">
      <p class="redrive-said">
        <b>{saidOf(order)}</b>
      </p>
      <ProgressBar redrive={order} />
      <ul class="tiles">
        <Figure name="Matched" count={matched} />
        <Figure name="Moved" count={moved} />
        {failed > 0 && <Figure name="Left dead" count={failed} />}
        {outcome && <Figure name="Succeeded" count={outcome.succeeded} tone="good" />}
        {outcome && <Figure name="Dead again" count={outcome.dead} tone={outcome.dead > 0 ? "bad" : undefined} />}
        {outcome && <Figure name="Underway" count={underwayOf(order)} />}
      </ul>
      <dl class="letter-facts">
        <dt>Status</dt>
        <dd>{status}</dd>
        <dt>Rate</dt>
        <dd>{rate === null ? "as fast as it goes" : `${rate} a second`}</dd>
        <dt>Ordered</dt>
        <dd>
          <Time at={created_at} />
        </dd>
        <dt>Ended</dt>
        <dd>
          <Time at={ended_at} />
        </dd>
        {reason && <dt>Reason</dt>}
        {reason && <dd>{reason}</dd>}
        <dt>New traces</dt>
        <dd>
          <a href={addressOf("/traces", { attribute: `throughline.redrive.id=${id}` })}>of the tasks it moved</a>
        </dd>
        {outcome && outcome.dead > 0 && <dt>Dead again</dt>}
        {outcome && outcome.dead > 0 && (
          <dd>
            <a href={addressOf("/dead-letters", { since: created_at ?? undefined })}>what died since</a>
          </dd>
        )}
      </dl>
      {outcome && moved > outcome.followed && (
        <p class="quiet small">
          What becomes of them is followed for the first {outcome.followed.toLocaleString("en")} that were moved.
        </p>
      )}
    </div>
  );
}

/** The one sentence that somebody who ordered it waits for. */
function saidOf(order: Redrive): string {
  const { status, matched, moved, outcome } = order;
  if (!hasEnded(order)) return `${moved} of ${matched} moved${status === "paused" ? ", paused" : ""}`;
  if (!outcome || outcome.followed === 0) return `${moved} of ${matched} moved, ${status}`;
  const underway = underwayOf(order);
  const rest = underway > 0 ? `, ${underway} underway` : "";
  return `${outcome.succeeded} of ${outcome.followed} succeeded${rest}`;
}

function Figure({ name, count, tone }: { name: string; count: number; tone?: "good" | "bad" | undefined }) {
  return (
    <li class={`tile ${tone ?? ""}`}>
      <span class="tile-name">{name}</span>
      <b class="tile-figure">{count.toLocaleString("en")}</b>
    </li>
  );
}
