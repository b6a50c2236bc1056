/**
 * The prepared statements of one open SQLite database, found by their text: each text is prepared once. For texts that
 * the program itself writes, of which there are few.
 */

import type { DatabaseSync, SQLInputValue, StatementSync } from "node:sqlite";

export class PreparedStatements {
  readonly #db: DatabaseSync;
  readonly #byText = new Map<string, StatementSync>();

  constructor(db: DatabaseSync) {
    this.#db = db;
  }

  /** The first row; its columns are those of the STRICT tables that the statement reads. */
  get<Row>(sql: string, values: readonly SQLInputValue[]): Row | undefined {
    return this.#prepared(sql).get(...values) as unknown as Row | undefined;
  }

  all<Row>(sql: string, values: readonly SQLInputValue[]): Row[] {
    return this.#prepared(sql).all(...values) as unknown as Row[];
  }

  /** Gives the number of rows that were changed. */
  run(sql: string, values: readonly SQLInputValue[]): number {
    return Number(this.#prepared(sql).run(...values).changes);
  }

  #prepared(sql: string): StatementSync {
    let statement = this.#byText.get(sql);
    if (!statement) {
      statement = this.#db.prepare(sql);
      this.#byText.set(sql, statement);
    }
    return statement;
  }
}
