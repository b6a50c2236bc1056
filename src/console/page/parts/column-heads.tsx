/** The heads of a table's columns. Columns that a phone has no room for are marked, in the head as in each row. */

export interface ColumnHead {
  name: string;
  /** `number` aligns right; `wide` takes what room is left. */
  kind?: "number" | "wide";
  /** It shows on a narrow screen too. */
  isOnPhone?: boolean;
}

export function ColumnHeads({ columns }: { columns: readonly ColumnHead[] }) {
  return columns.map((column, index) => (
    <th key={`${column.name}${index}`} scope="col" class={classOf(column)}>
      {column.name}
    </th>
  ));
}

export function classOf({ kind, isOnPhone }: ColumnHead): string {
  return `${kind ?? ""}${isOnPhone ? "" : " roomy"}`.trim();
}
