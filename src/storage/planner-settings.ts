/**
 * Statements find their rows by key, and so they are planned: a plan that is kept must be good for a table of any size.
 * One that was made while it was small scanned it whole when it had grown, 12 ms for each append at 60,000 sessions.
 *
 * Rows that are joined to what a statement was given are asked for by `= ANY(ARRAY[key])`. An equality can be merged as
 * well as looked up, so the planner read an index from end to end while its table had one row: 20,000 entries for each
 * append at 20,000 sessions (`test/storage/append-plans.test.ts`).
 */
export const plannerSettings = ['enable_seqscan=off', 'enable_hashjoin=off', 'enable_mergejoin=off'] as const;
