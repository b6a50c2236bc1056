/** A table that is only read: its rows lead nowhere. */

import type { ComponentChildren } from "preact";
import { type ColumnHead, ColumnHeads } from "./column-heads.tsx";

export interface PlainTableProps {
  columns: readonly ColumnHead[];
  /** What it is of, for a style of its own. */
  kind?: string;
  /** Its rows. */
  children: ComponentChildren;
}

export function PlainTable({ columns, kind = "", children }: PlainTableProps) {
  return (
    <div class="table-frame">
      <table class={`plain ${kind}`.trim()}>
        <thead>
          <tr>
            <ColumnHeads columns={columns} />
          </tr>
        </thead>
        <tbody>{children}</tbody>
      </table>
    </div>
  );
}
