/**
 * Statements find their rows by key, and so they are planned: a plan that is kept must be good for a table of any size.
 * One that was made while it was small scanned it whole when it had grown, 12 ms for each append at 60,000 sessions.
 */
export const plannerSettings = ['enable_seqscan=off', 'enable_hashjoin=off', 'enable_mergejoin=off'] as const;
