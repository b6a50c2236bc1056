/** What becomes of the telemetry itself: exported, dropped, waiting, of each role since its start; and where it goes. */

import type { RoleView, SignalView, SystemView } from "../../../system-view.ts";
import { PlainTable } from "../../parts/plain-table.tsx";

export interface TelemetryProps {
  roles: readonly RoleView[];
  exports: SystemView["exports"];
}

export function Telemetry({ roles, exports }: TelemetryProps) {
  const told = roles.filter(({ spans, logs }) => spans.exported + logs.exported + spans.dropped + logs.dropped > 0);
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
      {told.length > 0 && (
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
          {told.map(({ instance_id, service, spans, logs }) => (
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
