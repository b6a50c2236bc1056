/**
 * Redrives: those that were ordered from this browser, the newest first (the API has no list of all), how far each is,
 * its brakes, and what has become of the tasks that it moved.
 */

import { signal } from "@preact/signals";
import { useState } from "preact/hooks";
import { type Answered, send, useAnswer } from "../../api.ts";
import { hasEnded, outcomeText, type Redrive, underwayOf } from "../../dead-letter.ts";
import { addressOf } from "../../location.ts";
import { Icon } from "../../parts/icon.tsx";
import { tellError } from "../../parts/notices.tsx";
import { Time } from "../../parts/time.tsx";
import { PageHead, Problem } from "../../parts/view.tsx";

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
        <b>{summaryOf(order)}</b>
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

/** The result in one sentence. */
function summaryOf(order: Redrive): string {
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

export function RecentRedrives() {
  const ids = knownRedrives.value;
  if (ids.length === 0) return null;
  return (
    <section class="recent">
      <h2>Redrives ordered here</h2>
      <ul>
        {ids.map((id) => (
          <Row key={id} id={id} />
        ))}
      </ul>
    </section>
  );
}

function Row({ id }: { id: string }) {
  const { data: order, problem, isOver } = useRedrive(id);
  const forget = (
    <button type="button" class="icon-button" aria-label="Take it off this list" onClick={() => forgetRedrive(id)}>
      <Icon name="close" />
    </button>
  );
  if (problem) {
    return (
      <li class="redrive-row">
        <span class="quiet">{problem.message}</span>
        {forget}
      </li>
    );
  }
  if (!order) return <li class="redrive-row" aria-busy="true" />;
  return (
    <li class="redrive-row">
      <a data-row href={`/dead-letters/redrives/${id}`}>
        {order.matched.toLocaleString("en")} {order.matched === 1 ? "task" : "tasks"}
        {order.reason ? `: ${order.reason}` : ""}
      </a>
      <ProgressBar redrive={order} />
      <span>{outcomeText(order) || order.status}</span>
      <span class="quiet">{isOver ? <Time at={order.ended_at} /> : order.status}</span>
      {forget}
    </li>
  );
}

/** How far a redrive is, and what has become of the tasks that it moved: a bar of what was matched. */
function ProgressBar({ redrive }: { redrive: Redrive }) {
  const { matched, moved, failed, outcome } = redrive;
  if (matched === 0) return <span class="way" />;
  // Only some of the moved tasks are followed: they are scaled to all of them.
  const scale = outcome && outcome.followed > 0 ? moved / outcome.followed : 0;
  const parts = [
    { tone: "way-good", count: (outcome?.succeeded ?? 0) * scale },
    { tone: "way-bad", count: (outcome?.dead ?? 0) * scale },
    { tone: "way-over", count: ((outcome?.canceled ?? 0) + (outcome?.discarded ?? 0)) * scale },
  ];
  const ended = parts.reduce((sum, { count }) => sum + count, 0);
  const all = [...parts, { tone: "way-run", count: Math.max(0, moved - ended) }, { tone: "way-over", count: failed }];
  return (
    <span
      class="way"
      role="img"
      aria-label={`${moved} of ${matched} moved${outcome ? `; ${outcomeText(redrive)}` : ""}`}
    >
      {all.map(({ tone, count }, index) => (
        <i key={`${tone}${index}`} class={tone} style={{ width: `${(count / matched) * 100}%` }} />
      ))}
    </span>
  );
}

const underwayEveryMs = 1500;
const overEveryMs = 20_000;

/** A redrive with what has become of its tasks: loaded often while that changes, and seldom afterwards. */
function useRedrive(id: string): Answered<Redrive> & { isOver: boolean } {
  const [isOver, setOver] = useState(false);
  const everyMs = isOver ? overEveryMs : underwayEveryMs;
  const answered = useAnswer<Redrive>(`/dead-letters/redrives/${encodeURIComponent(id)}?outcome=true`, { everyMs });
  const { data } = answered;
  const isOverNow = data !== undefined && hasEnded(data) && underwayOf(data) === 0;
  if (data && isOverNow !== isOver) setOver(isOverNow);
  return { ...answered, isOver: isOverNow };
}

const storageName = "throughline-redrives";
const maxKept = 8;
const idText = /^[0-9a-f-]{36}$/;

/** The newest first; stored in this browser, since the API has no list of all. */
const knownRedrives = signal<readonly string[]>(read());

function read(): string[] {
  const words = (window.localStorage.getItem(storageName) ?? "").split(" ");
  return words.filter((word) => idText.test(word)).slice(0, maxKept);
}

function keep(ids: readonly string[]): void {
  knownRedrives.value = ids.slice(0, maxKept);
  window.localStorage.setItem(storageName, knownRedrives.value.join(" "));
}

export function noteRedrive(id: string): void {
  keep([id, ...knownRedrives.value.filter((each) => each !== id)]);
}

function forgetRedrive(id: string): void {
  keep(knownRedrives.value.filter((each) => each !== id));
}
