/** Every role that has told anything within the hour, of whatever process. */

import type { RoleView } from "../../../system-view.ts";
import { Empty } from "../../parts/empty.tsx";
import { PlainTable } from "../../parts/plain-table.tsx";
import { Time } from "../../parts/time.tsx";

export function Roles({ roles }: { roles: readonly RoleView[] }) {
  if (roles.length === 0) {
    return (
      <section class="system-part">
        <h2>Roles</h2>
        <Empty title="Nobody has told anything yet">
          Roles tell every five seconds. Those of another process do when their <code>OTEL_EXPORTER_OTLP_ENDPOINT</code>{" "}
          is the <code>otlp_url</code> of this one.
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
