/** The view System: who is there, what is in trouble, what becomes of telemetry, and what is in force. */

import type { SystemView } from "../../system-view.ts";
import { useAnswer } from "../answer.ts";
import { showBytes, showCount, showFigure } from "../parts/figure.ts";
import { PageHead } from "../parts/page-head.tsx";
import { Duration } from "../parts/time.tsx";
import { Problem } from "../parts/view.tsx";
import { Checks } from "./system/checks.tsx";
import { Roles } from "./system/roles.tsx";
import { Settings } from "./system/settings.tsx";
import { Telemetry } from "./system/telemetry.tsx";

const everyMs = 2500;

export function System() {
  const { data, problem, again } = useAnswer<SystemView>("/system", { everyMs });
  const breakers = (data?.roles ?? []).filter(({ is_silent }) => !is_silent);
  return (
    <>
      <PageHead title="System" />
      {problem && <Problem problem={problem} again={again} />}
      <Checks
        breakers={breakers.flatMap(({ service, breakers: own }) => own.map((breaker) => ({ ...breaker, service })))}
      />
      {data && (
        <>
          <Roles roles={data.roles} />
          <Queues queues={data.queues} />
          <Telemetry roles={data.roles} exports={data.exports} />
          <Kept console={data.console} />
          <Settings settings={data.settings} />
        </>
      )}
    </>
  );
}

function Queues({ queues }: Pick<SystemView, "queues">) {
  if (queues.length === 0) return null;
  return (
    <section class="system-part">
      <h2>Queues</h2>
      <ul class="tiles">
        {queues.map(({ name, visible, in_flight, delayed, oldest_age }) => (
          <li key={name} class="tile">
            <span class="queue-name">{name}</span>
            <b class="tile-figure">{showCount(visible)}</b>
            <span class="quiet small">
              {showCount(in_flight)} in flight, {showCount(delayed)} delayed
              {oldest_age !== null && oldest_age > 0 && `, oldest ${showFigure(oldest_age, "seconds")}`}
            </span>
          </li>
        ))}
      </ul>
    </section>
  );
}

function Kept({ console: own }: { console: SystemView["console"] }) {
  const { file_bytes: bytes, file_limit_bytes: limit, retention_ms, kept, dropped, waiting } = own;
  const part = Math.min(1, bytes / limit);
  return (
    <section class="system-part">
      <h2>What the console keeps</h2>
      <p>
        {showBytes(bytes)} of {showBytes(limit)}, for up to <Duration ms={retention_ms} />; the newest stay.
      </p>
      <span class="way" role="img" aria-label={`${Math.round(part * 100)} % of its room is used`}>
        <i class="way-run" style={{ width: `${part * 100}%` }} />
      </span>
      <p class="quiet small">
        Since its start: {showCount(kept)} spans and log lines kept, {showCount(waiting)} waiting,{" "}
        {dropped > 0 ? <b class="bad">{showCount(dropped)} dropped</b> : "none dropped"}.
      </p>
    </section>
  );
}
