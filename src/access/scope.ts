/** What a caller may do: hand in tasks; look at anything; change what others have handed in. */
export type Scope = "submit" | "read" | "operate";
