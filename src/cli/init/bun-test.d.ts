/** What most tests use of `bun:test`. All of it: install `@types/bun` and add `"types": ["bun"]` to tsconfig.json. */

export interface Matchers {
  readonly not: Matchers;
  readonly resolves: Matchers;
  readonly rejects: Matchers;
  toBe(expected: unknown): void;
  toEqual(expected: unknown): void;
  toStrictEqual(expected: unknown): void;
  toMatchObject(expected: object): void;
  toContain(expected: unknown): void;
  toContainEqual(expected: unknown): void;
  toHaveLength(expected: number): void;
  toHaveProperty(path: string, expected?: unknown): void;
  toMatch(expected: string | RegExp): void;
  toStartWith(expected: string): void;
  toEndWith(expected: string): void;
  toThrow(expected?: unknown): void;
  toBeDefined(): void;
  toBeUndefined(): void;
  toBeNull(): void;
  toBeTruthy(): void;
  toBeFalsy(): void;
  toBeGreaterThan(expected: number): void;
  toBeLessThan(expected: number): void;
  toBeCloseTo(expected: number, digits?: number): void;
  toBeInstanceOf(expected: unknown): void;
  toMatchSnapshot(hint?: string): void;
}

type Run = () => unknown;

export interface Test {
  (name: string, run: Run, timeoutMs?: number): void;
  only(name: string, run: Run, timeoutMs?: number): void;
  skip(name: string, run?: Run): void;
  todo(name: string, run?: Run): void;
  each<Row extends readonly unknown[]>(
    rows: readonly (readonly [...Row])[],
  ): (name: string, run: (...row: Row) => unknown, timeoutMs?: number) => void;
  each<Row>(rows: readonly Row[]): (name: string, run: (row: Row) => unknown, timeoutMs?: number) => void;
}

export declare const test: Test;
export declare const it: Test;
export declare function describe(name: string, define: () => void): void;
export declare function beforeAll(run: Run): void;
export declare function beforeEach(run: Run): void;
export declare function afterEach(run: Run): void;
export declare function afterAll(run: Run): void;
export declare function expect(value: unknown, message?: string): Matchers;
