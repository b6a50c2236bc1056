/**
 * A table whose rows are reached with `j` and `k`: the first cell holds the row's link, and a click anywhere on the row
 * follows it.
 */

import type { ComponentChildren } from "preact";
import { type ColumnHead, ColumnHeads, classOf } from "./column-heads.tsx";

export interface Column<Row> extends ColumnHead {
  cell(row: Row): ComponentChildren;
}

export interface TableProps<Row> {
  /** What the table is of, for who cannot see it. */
  caption: string;
  columns: readonly Column<Row>[];
  rows: readonly Row[];
  keyOf(row: Row): string;
  hrefOf(row: Row): string;
  /** What the row's link says: an id, a name. */
  linkOf(row: Row): ComponentChildren;
  linkName: string;
  /** Stands before each row: a box to choose it. */
  before?: { head: ComponentChildren; cell(row: Row): ComponentChildren };
}

export function Table<Row>({ caption, columns, rows, keyOf, hrefOf, linkOf, linkName, before }: TableProps<Row>) {
  return (
    <div class="table-frame">
      <table>
        <caption class="unseen">{caption}</caption>
        <thead>
          <tr>
            {before && <th class="choose">{before.head}</th>}
            <th scope="col">{linkName}</th>
            <ColumnHeads columns={columns} />
          </tr>
        </thead>
        <tbody>
          {rows.map((row) => (
            <tr key={keyOf(row)} onClick={followRow}>
              {before && <td class="choose">{before.cell(row)}</td>}
              <td class="row-link">
                <a data-row href={hrefOf(row)}>
                  {linkOf(row)}
                </a>
              </td>
              {columns.map((column) => (
                <td key={column.name} class={classOf(column)}>
                  {column.cell(row)}
                </td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

/** As on the link, unless something in the row was meant, or text is being chosen. */
function followRow(event: MouseEvent): void {
  const { target, currentTarget } = event;
  if (!(target instanceof Element) || !(currentTarget instanceof Element)) return;
  if (target.closest("a, button, input, label") || window.getSelection()?.toString()) return;
  const link = currentTarget.querySelector<HTMLAnchorElement>("a[data-row]");
  link?.dispatchEvent(new MouseEvent("click", { ...plainOf(event), bubbles: true, cancelable: true }));
}

function plainOf({ ctrlKey, metaKey, shiftKey, button }: MouseEvent): MouseEventInit {
  return { ctrlKey, metaKey, shiftKey, button };
}
