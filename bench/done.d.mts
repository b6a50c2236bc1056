/** As in done.mjs. */
export declare function done(payload: { n: number; at: number }): void;
