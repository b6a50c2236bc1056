/** The view System: who is there, what is in trouble, what becomes of telemetry, and what is in force. */

import { useState } from "preact/hooks";
import type { Check, Health, HealthStatus } from "../../../http/health.ts";
import type { RoleView, SettingView, SystemView } from "../../system-view.ts";
import { ApiProblem, apiHeaders, useAnswer, useLoaded } from "../api.ts";
import { TypedField } from "../parts/controls.tsx";
import { showBytes, showCount, showFigure } from "../parts/figure.ts";
import { PlainTable } from "../parts/table.tsx";
import { Duration } from "../parts/time.tsx";
import { PageHead, Problem } from "../parts/view.tsx";
import { Roles, Telemetry } from "./system/roles.tsx";

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

/** The settings in force in the console's process, those that were set first. */
function Settings({ settings }: { settings: readonly SettingView[] }) {
  const [text, setText] = useState("");
  const words = text.toLowerCase();
  const fit = settings.filter((setting) =>
    [setting.flag, setting.variable, setting.value, setting.meaning].some((each) => each.toLowerCase().includes(words)),
  );
  const isSet = ({ source }: SettingView): boolean => source !== "default";
  const ordered = [...fit.filter(isSet), ...fit.filter((setting) => !isSet(setting))];
  return (
    <section class="system-part">
      <h2>Settings in force</h2>
      <div class="filters">
        <TypedField label="Search settings" icon placeholder="Flag, value or meaning" value={text} onTyped={setText} />
      </div>
      <PlainTable
        columns={[
          { name: "Flag", isOnPhone: true },
          { name: "Value", isOnPhone: true },
          { name: "From" },
          { name: "Meaning" },
        ]}
        kind="settings"
      >
        {ordered.map((setting) => (
          <tr key={setting.flag} title={setting.variable}>
            <th scope="row" class="mono">
              {setting.flag}
            </th>
            <td class="mono value">{setting.value || <span class="quiet">not set</span>}</td>
            <td class="roomy">{isSet(setting) ? <b>{setting.source}</b> : <span class="quiet">default</span>}</td>
            <td class="roomy quiet meaning">{setting.meaning}</td>
          </tr>
        ))}
      </PlainTable>
      {ordered.length === 0 && <p class="quiet">No setting has that in it.</p>}
      <p class="quiet small">
        Of the process that the console runs in. Others have their own: throughline config shows them.
      </p>
    </section>
  );
}

const checksEveryMs = 5000;

type Breaker = RoleView["breakers"][number] & { service: string };

/** Health: one word for the whole, and each check with its figures; breakers that are not closed among them. */
function Checks({ breakers }: { breakers: readonly Breaker[] }) {
  const { data, problem } = useLoaded("health", askHealth, { everyMs: checksEveryMs });
  const open = breakers.filter(({ state }) => state !== "closed");
  return (
    <section class="system-part">
      <h2>Health</h2>
      <ul class="tiles">
        <li class="tile">
          <span class="tile-name">System</span>
          <b class="tile-figure">{problem ? "no answer" : <Word status={data?.status} />}</b>
          <span class="quiet small">
            {problem
              ? problem.message
              : data && (
                  <>
                    up for <Duration ms={data.uptime_seconds * 1000} />
                  </>
                )}
          </span>
        </li>
        {Object.entries(data?.checks ?? {}).map(([name, check]) => (
          <li key={name} class="tile">
            <span class="tile-name">{name.replaceAll("_", " ")}</span>
            <b class="tile-figure">
              <Word status={check.status} />
            </b>
            <span class="quiet small">{figuresOf(check)}</span>
          </li>
        ))}
        {open.map(({ service, name, state }) => (
          <li key={`${service} ${name}`} class="tile bad">
            <span class="tile-name">breaker {name}</span>
            <b class="tile-figure">{state.replace("_", " ")}</b>
            <span class="quiet small">of {service}</span>
          </li>
        ))}
      </ul>
    </section>
  );
}

const tones: Record<HealthStatus, string> = { healthy: "good", degraded: "warn", unhealthy: "bad" };

function Word({ status }: { status: HealthStatus | undefined }) {
  if (!status) return <>–</>;
  return <span class={`health-${tones[status]}`}>{status}</span>;
}

/** `2 threads, 0 busy` */
function figuresOf({ status: _, ...figures }: Check): string {
  const texts = Object.entries(figures).map(([name, figure]) => `${figure} ${name.replaceAll("_", " ")}`);
  return texts.slice(0, 3).join(", ");
}

const limitMs = 10_000;

/** What the gateway's process reports of itself; a 503 has a report too. Rejects with `ApiProblem` when the gateway does not answer. */
async function askHealth(signal: AbortSignal): Promise<Health> {
  const answer = await fetch("/health", {
    headers: apiHeaders(),
    signal: AbortSignal.any([signal, AbortSignal.timeout(limitMs)]),
    credentials: "omit",
    cache: "no-store",
  }).catch((cause: unknown) => {
    if (signal.aborted) throw cause;
    throw new ApiProblem(0, { detail: "Nothing answers: is throughline still running?" });
  });
  const body: Partial<Health> & { detail?: string } = await answer.json();
  const { status, checks, uptime_seconds: uptime } = body;
  if (status === undefined || checks === undefined || uptime === undefined) throw new ApiProblem(answer.status, body);
  return { status, checks, uptime_seconds: uptime };
}
