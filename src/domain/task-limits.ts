/** Bounds of what an attempt reads and writes for its session, each with its unit and its reason. */

/** One request of a task to its session; it is repeated until the deadline, which outlasts a restart of the server. */
export const callRequestTimeoutMs = 10_000;
export const callDeadlineMs = 120_000;
/** What a task that failed had on its way to its session may still arrive for this long. */
export const settleDeadlineMs = 5_000;
export const callRetryFirstMs = 100;
export const callRetryMaxMs = 5_000;
/** Answers to those requests are short, but for the seqs of a batch. */
export const callAnswerBytesMax = 65_536;
/** A task's tail: its headers come within this, and then something at least every few pings. */
export const tailOpenTimeoutMs = 15_000;
export const tailSilenceMs = 4 * 5_000;
/** Pauses before a tail that broke is opened again. */
export const tailReopenFirstMs = 100;
export const tailReopenMaxMs = 5_000;
/** UTF-16 units of one frame: a page of records, the largest record, and JSON inside JSON inside JSON. */
export const tailFrameLengthMax = 16 * 1_048_576;
/** A task waits this long for a message unless the session or the task says otherwise: what official agents do. */
export const idleTimeoutDefaultMs = 30_000;
/** Below this a timer of Node keeps its word: 24 days. */
export const waitTimeoutMaxMs = 2_073_600_000;
/** A record that the server has is brought by the tail within this; else the wait fails. */
export const inReachDeadlineMs = 30_000;
/** What a task sends in one request, and what may wait for it before a pipe holds its source back. */
export const writeBytesMax = 262_144;
export const writesWaitingMax = 1_000;
export const writeBytesWaitingMax = 1_048_576;
