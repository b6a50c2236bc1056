/** The roles of the system, and the telemetry that each has received, sent and lost. */

import type { RoleView, SignalView, SystemView } from "../../../system-view.ts";
import { PlainTable } from "../../parts/table.tsx";
import { Time } from "../../parts/time.tsx";
import { Empty } from "../../parts/view.tsx";

export function Roles({ roles }: { roles: readonly RoleView[] }) {
  if (roles.length === 0) {
    return (
      <section class="system-part">
        <h2>Roles</h2>
        <Empty title="No telemetry yet">
          Roles report every five seconds. Those of another process do when their{" "}
          <code>OTEL_EXPORTER_OTLP_ENDPOINT</code> is the <code>otlp_url</code> of this one.
        </Empty>
      </section>
    );
  }
  return (
    <section class="system-part">
      <h2>Roles</h2>
      <PlainTable
        columns={[
          { name: "Role", isOnPhone: true },
          { name: "Heard", isOnPhone: true },
          { name: "Threads", isOnPhone: true },
          { name: "Tasks", kind: "number", isOnPhone: true },
          { name: "Breakers" },
          { name: "Process" },
          { name: "Version" },
        ]}
      >
        {roles.map((role) => (
          <Row key={role.instance_id} role={role} />
        ))}
      </PlainTable>
    </section>
  );
}

function Row({ role }: { role: RoleView }) {
  const { service, is_silent, seen_at, threads, tasks_in_flight, breakers, pid, host, runtime, version } = role;
  return (
    <tr class={is_silent ? "silent" : ""}>
      <th scope="row" title={role.instance_id}>
        {service}
      </th>
      <td>
        {is_silent ? (
          <span class="bad">
            silent, <Time at={seen_at} />
          </span>
        ) : (
          <Time at={seen_at} />
        )}
      </td>
      <td>{threads ? <Threads threads={threads} /> : <span class="quiet">–</span>}</td>
      <td class="number">{tasks_in_flight ?? <span class="quiet">–</span>}</td>
      <td class="roomy">
        {breakers.length === 0 && <span class="quiet">–</span>}
        {breakers.map(({ name, state }) => (
          <span key={name} class={`breaker breaker-${state}`}>
            {name}
            {state !== "closed" && ` ${state.replace("_", " ")}`}
          </span>
        ))}
      </td>
      <td class="roomy">
        {pid ?? "?"} on {host} <span class="quiet">{runtime}</span>
      </td>
      <td class="roomy">{version}</td>
    </tr>
  );
}

function Threads({ threads: { idle, busy, stuck, condemned } }: { threads: NonNullable<RoleView["threads"]> }) {
  const all = idle + busy + stuck + condemned;
  return (
    <span class="threads" title={`${busy} busy, ${idle} idle, ${stuck} stuck, ${condemned} condemned`}>
      {busy} of {all} busy{stuck > 0 && <b class="bad"> {stuck} stuck</b>}
      {condemned > 0 && <span class="quiet"> {condemned} condemned</span>}
    </span>
  );
}

export interface TelemetryProps {
  roles: readonly RoleView[];
  exports: SystemView["exports"];
}

/** What becomes of the telemetry itself: exported, dropped, waiting, of each role since its start; and where it goes. */
export function Telemetry({ roles, exports }: TelemetryProps) {
  const exporting = roles.filter(
    ({ spans, logs }) => spans.exported + logs.exported + spans.dropped + logs.dropped > 0,
  );
  const places = Object.entries(exports).flatMap(([signal, url]) => (url ? [{ signal, url }] : []));
  return (
    <section class="system-part">
      <h2>Telemetry</h2>
      <p class="quiet">
        {places.length === 0 ? (
          <>It goes to this console alone: no OTEL_EXPORTER_OTLP_ENDPOINT is set.</>
        ) : (
          places.map(({ signal, url }) => (
            <span key={signal} class="place">
              {signal} to <code>{url}</code>{" "}
            </span>
          ))
        )}
      </p>
      {exporting.length > 0 && (
        <PlainTable
          columns={[
            { name: "Role", isOnPhone: true },
            { name: "Spans sent", kind: "number", isOnPhone: true },
            { name: "dropped", kind: "number", isOnPhone: true },
            { name: "waiting", kind: "number" },
            { name: "Log lines sent", kind: "number" },
            { name: "dropped", kind: "number" },
            { name: "waiting", kind: "number" },
          ]}
        >
          {exporting.map(({ instance_id, service, spans, logs }) => (
            <tr key={instance_id}>
              <th scope="row">{service}</th>
              <Signal signal={spans} isOnPhone />
              <Signal signal={logs} />
            </tr>
          ))}
        </PlainTable>
      )}
    </section>
  );
}

interface SignalProps {
  signal: SignalView;
  isOnPhone?: boolean;
}

function Signal({ signal: { exported, dropped, waiting }, isOnPhone = false }: SignalProps) {
  const kind = isOnPhone ? "number" : "number roomy";
  return (
    <>
      <td class={kind}>{exported.toLocaleString("en")}</td>
      <td class={kind}>
        {dropped > 0 ? <b class="bad">{dropped.toLocaleString("en")}</b> : <span class="quiet">0</span>}
      </td>
      <td class="number roomy quiet">{waiting.toLocaleString("en")}</td>
    </>
  );
}
