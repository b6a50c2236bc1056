/** What becomes of the telemetry itself: exported, dropped, waiting, of each role since its start; and where it goes. */

import type { RoleView, SignalView, SystemView } from "../../../system-view.ts";

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
        <div class="table-frame">
          <table class="plain">
            <thead>
              <tr>
                <th scope="col">Role</th>
                <th scope="col" class="number">
                  Spans sent
                </th>
                <th scope="col" class="number">
                  dropped
                </th>
                <th scope="col" class="number roomy">
                  waiting
                </th>
                <th scope="col" class="number roomy">
                  Log lines sent
                </th>
                <th scope="col" class="number roomy">
                  dropped
                </th>
                <th scope="col" class="number roomy">
                  waiting
                </th>
              </tr>
            </thead>
            <tbody>
              {told.map(({ instance_id, service, spans, logs }) => (
                <tr key={instance_id}>
                  <th scope="row">{service}</th>
                  <Signal signal={spans} isOnPhone />
                  <Signal signal={logs} />
                </tr>
              ))}
            </tbody>
          </table>
        </div>
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
