/** Health: one word for the whole, and each check with its figures; breakers that are not closed among them. */

import type { Check, HealthStatus } from "../../../../words/health.ts";
import type { RoleView } from "../../../system-view.ts";
import { useLoaded } from "../../answer.ts";
import { askHealth } from "../../health.ts";
import { Duration } from "../../parts/time.tsx";

const everyMs = 5000;

type Breaker = RoleView["breakers"][number] & { service: string };

export function Checks({ breakers }: { breakers: readonly Breaker[] }) {
  const { data, problem } = useLoaded("health", askHealth, { everyMs });
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
  const told = Object.entries(figures).map(([name, figure]) => `${figure} ${name.replaceAll("_", " ")}`);
  return told.slice(0, 3).join(", ");
}
