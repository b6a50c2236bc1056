/** Tables: with rows that lead somewhere and are reached with `j` and `k`, and plain ones, which are only read. */

import type { ComponentChildren } from "preact";

export interface Column<Row> extends ColumnHead {
  cell(row: Row): ComponentChildren;
}

export interface TableProps<Row> {
  /** The content of the table, for screen readers. */
  caption: string;
  columns: readonly Column<Row>[];
  rows: readonly Row[];
  keyOf(row: Row): string;
  hrefOf(row: Row): string;
  /** The text of the row's link: an id, a name. */
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

export interface PlainTableProps {
  columns: readonly ColumnHead[];
  /** What it is of, for a style of its own. */
  kind?: string;
  /** Its rows. */
  children: ComponentChildren;
}

/** A table that is only read: its rows lead nowhere. */
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

interface ColumnHead {
  name: string;
  /** `number` aligns right; `wide` takes what room is left. */
  kind?: "number" | "wide";
  /** It shows on a narrow screen too. */
  isOnPhone?: boolean;
}

/** The heads of a table's columns. Columns that a phone has no room for are marked, in the head as in each row. */
function ColumnHeads({ columns }: { columns: readonly ColumnHead[] }) {
  return columns.map((column, index) => (
    <th key={`${column.name}${index}`} scope="col" class={classOf(column)}>
      {column.name}
    </th>
  ));
}

function classOf({ kind, isOnPhone }: ColumnHead): string {
  return `${kind ?? ""}${isOnPhone ? "" : " roomy"}`.trim();
}
