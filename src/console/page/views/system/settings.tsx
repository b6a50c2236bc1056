/** The settings in force in the console's process, those that somebody has set first. */

import { useState } from "preact/hooks";
import type { SettingView } from "../../../system-view.ts";
import { PlainTable } from "../../parts/plain-table.tsx";
import { TypedField } from "../../parts/typed-field.tsx";

export function Settings({ settings }: { settings: readonly SettingView[] }) {
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
