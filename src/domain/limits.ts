/** Every bound of the product, in one place, each with its unit and its reason. */

/** Seed: "The whole body must be 32KB or smaller". Counted in bytes as they stream in. */
export const createBodyBytesMax = 32_768;
/** Protocol sections 3.5 and 3.6; also our own claim route. */
export const smallBodyBytesMax = 1_024;
/** Nesting beyond this is refused before JSON.parse: recursion in later stages must stay shallow. */
export const jsonDepthMax = 256;

export const typeLengthMax = 64;
export const taskIdentifierLengthMax = 128;
export const externalIdLengthMax = 256;
export const sessionTagsMax = 10;
/** Seed: five, though the SDK's client type allows ten (protocol disagreement 4). */
export const runTagsMax = 5;
export const tagLengthMax = 128;
export const queueLengthMax = 128;
/** The seed leaves these two open; both become part of a task queue name, which Temporal caps at 1,000 bytes. */
export const regionLengthMax = 128;
export const lockToVersionLengthMax = 128;
/** Temporal caps the names of task queues here; each of their parts can be within its own limit and the whole too long. */
export const taskQueueBytesMax = 1_000;
export const maxAttemptsMax = 10;
export const idleTimeoutInSecondsMax = 3_600;
/** One hundred years: Temporal's durations are 64-bit nanoseconds, so an unbounded cap would overflow. */
export const maxDurationInSecondsMax = 3_153_600_000;
export const concurrencyNamesMax = 2;
export const concurrencyKeyLengthMax = 512;
export const deploymentIdLengthMax = 256;
export const closeReasonLengthMax = 256;
export const handOverReasonLengthMax = 64;
export const pageSizeDefault = 20;
export const pageSizeMax = 100;
/** Values of one filter of the list: each costs a look into an index, three where its states are looked at apart. */
export const filterValuesMax = 50;
/** Longer request keys are kept as a digest. */
export const requestKeyLengthMax = 128;

/** Attempts of a run when `maxAttempts` is not given. */
export const maxAttemptsDefault = 3;
/** Start-to-close of an attempt without `maxDuration`: a chat may stay resident for long. */
export const attemptDurationDefaultSeconds = 30 * 24 * 3_600;
/** Beyond `maxDuration`: the grace of a stopped attempt, and the way of its report. */
export const maxDurationSlackMs = 15_000;
/** Beyond the longest time that an attempt may take: its key never ends before it, and the fence is what ends its writes. */
export const attemptKeySlackSeconds = 24 * 3_600;
/** A run whose worker fell silent for this long is tried again elsewhere; see docs/decisions. */
export const heartbeatTimeoutMs = 3_000;
/** A worker tells Temporal this often that its attempt is alive. */
export const heartbeatIntervalMs = 500;
/** First delay between two attempts; doubles up to the maximum. */
export const retryDelayFirstMs = 500;
export const retryDelayMaxMs = 10_000;

/** A caller waits this long for the row to show an outcome; then 503 and `Retry-After`. */
export const answerDeadlineMs = 10_000;
/** An order is sent again this often while its outcome is awaited (lifecycle R5). */
export const resendIntervalMs = 1_000;
/** A waiter looks at the row at least this often, also when every notification is lost. */
export const pollFirstMs = 100;
export const pollMaxMs = 250;
/** Seconds in the `Retry-After` of a 503. */
export const retryAfterSeconds = 1;
/** A waiter for the outcome of a cancellation leaves after this; the order itself stands. */
export const cancelAnswerDeadlineMs = 5_000;
/** Status questions to Temporal are a courtesy on a read: the row answers when they are late. */
export const describeDeadlineMs = 1_000;

/** A run that ends in a crash is followed by at most this many continuations in a row (lifecycle, `barren`). */
export const barrenMax = 3;
/** After a close a live run may finish its turn for this long. */
export const closeGraceDefaultSeconds = 300;

/** Public tokens minted on create (seed: "Default TTL is 1 hour"). */
export const publicTokenTtlSeconds = 3_600;
/** Of tokens that a caller orders without saying, and the longest that it may say (protocol section 8.3). */
export const publicTokenTtlDefaultSeconds = 900;
export const publicTokenTtlMaxSeconds = 30 * 24 * 3_600;
/** One scope holds an action, a type and an id; together they must fit `bearerBytesMax`. */
export const tokenScopeLengthMax = 512;
export const tokenScopesMax = 100;
/** UTF-16 units of what an operator calls a key. */
export const keyNameLengthMax = 128;
/** How long a rotated key goes on when nobody says, and at most: as long as the longest token that it may have signed. */
export const rotationGraceDefaultSeconds = 24 * 3_600;
export const rotationGraceMaxSeconds = 30 * 24 * 3_600;
/** Marks of used one-time tokens stay for this long after the token: the two clocks that judge it may differ. */
export const usedTokenSlackSeconds = 24 * 3_600;
/** Marks that one use clears away, so that the table does not outgrow its tokens. */
export const usedTokensSweptMax = 20;
/** Encryption keys that are tried on a stored key: the newest, and those that it was sealed under before. */
export const encryptionKeysMax = 8;
/** A JWT longer than this is refused unread. */
export const bearerBytesMax = 8_192;

/** An attempt that was told to stop may still return for this long; then it ends without its code. */
export const stopGraceMs = 10_000;
/** What a task returns, as JSON. Half of the size at which Temporal refuses a payload. */
export const runOutputBytesMax = 1_048_576;
/** Temporal keeps an error in several places: longer texts are cut. */
export const errorMessageLengthMax = 4_096;
export const errorStackLengthMax = 8_192;
/** Links of an error's `cause` chain that are kept; a chain may be circular. */
export const errorCausesMax = 3;
/** One request of a claim; an attempt repeats it until the deadline, then another attempt goes on. */
export const claimRequestTimeoutMs = 5_000;
export const claimDeadlineMs = 30_000;
export const claimRetryFirstMs = 100;
export const claimRetryMaxMs = 2_000;
/** A claim's answer is six short fields; more than this is some other server speaking. */
export const claimAnswerBytesMax = 16_384;
/** Records that are written by one request; its body holds at least the largest one, whatever its characters. */
export const writeRecordsMax = 500;
export const writeBodyBytesMax = 2 * 1_048_576;
/** Of a written record; UTF-16 units of a header's name and of its value, which may be a token. */
export const writeHeadersMax = 20;
export const writeHeaderLengthMax = 8_192;
/** On shutdown a task worker lets its runs go on for this long before it hands them to another worker. */
export const taskShutdownGraceDefaultMs = 10_000;
/** One hour: a longer drain is a worker that never stops. */
export const taskShutdownGraceMaxMs = 3_600_000;
/** Runs that one task worker executes at once per task queue; chats are mostly idle while they wait. */
export const concurrentRunsDefault = 100;
export const concurrentRunsMax = 10_000;
/** Each queue costs a task worker an open poll, and more of them while runs are waiting. */
export const servedQueuesMax = 100;
export const taskPollsMax = 10;
/** A connection attempt of a task worker to Temporal, and the pauses between two of them. */
export const connectTimeoutMs = 10_000;
export const reconnectFirstMs = 250;
export const reconnectMaxMs = 5_000;

/** One call that hands an order to Temporal; the waiter sends again after it. */
export const orderDeadlineMs = 3_000;
/** A session worker that dies in a workflow task is noticed after this; its local activities take milliseconds. */
export const workflowTaskTimeoutMs = 5_000;
/** A cached workflow whose worker died is given to another after this (pitfall: the default is ten seconds). */
export const stickyTimeoutMs = 1_000;
/** Whether a task queue has pollers is remembered for this long. */
export const pollersCacheMs = 2_000;
export const pollersCacheEntriesMax = 1_000;

/** Lifecycle R2: a paused process holds locks and its connection for no longer than this. */
export const databaseTimeoutMs = 2_000;
/** A server that does not even report its own timeout is taken for dead; the connection is dropped. */
export const databaseAnswerTimeoutMs = 3_000;
/** Pause before a deadlocked transaction is run again: without it, it takes its first lock back and deadlocks again. */
export const repeatPauseMs = 50;
/** Statements and transactions that wait for a connection; the next one is refused at once. */
export const databaseWaitersMax = 1_000;
/** Distinct statement texts that are kept prepared on each connection; further ones are parsed on each use. */
export const preparedStatementsMax = 500;
/** Streams of which a process remembers how it left them, about 0.3 KB each. */
export const knownStreamsMax = 10_000;
/** Pooled connections: closed after this time without use, and after this age, so that a moved server is found. */
export const connectionIdleMs = 60_000;
export const connectionLifetimeSeconds = 3_600;
/** On close, statements in flight are waited for; then the process goes on without them. */
export const databaseCloseTimeoutMs = 5_000;
/** Another process that migrates is waited for; one statement of a migration may rewrite a large table. */
export const schemaLockTimeoutMs = 60_000;
export const schemaStatementTimeoutMs = 600_000;
/** PostgreSQL refuses notifications of 8,000 bytes and more. */
export const notificationBytesMax = 7_900;
/** Notifications that wait for the side session; later ones are dropped, which costs their readers a poll tick. */
export const notificationsWaitingMax = 100;
/** How soon a silently dead side session is noticed, and the pauses between two attempts to open it again. */
export const sideSessionProbeMs = 15_000;
export const sideSessionReopenFirstMs = 100;
export const sideSessionReopenMaxMs = 5_000;
/** Changed sessions are announced to other processes together, this often at most. */
export const announceIntervalMs = 5;
/** More changed sessions than this in one interval are announced as "everything". */
export const announcedSessionsMax = 6_000;

/** Overdue wakes and expiries that one round of the reconciler orders. */
export const reconcileBatch = 50;
/** Unfinished runs whose workflow one round asks Temporal about, one call each; the next round goes on after them. */
export const reconcilePage = 200;
/** A run that has ended is in its row within milliseconds of the moment at which Temporal no longer has it. */
export const orphanConfirmMs = 1_000;
/** A round that takes longer is given up; the next one is due anyway. */
export const reconcileRoundTimeoutMs = 60_000;
export const reconcileIntervalDefaultSeconds = 10;
/** A lost Temporal store has lost the reconciler's Schedule with it: each session worker looks this often. */
export const scheduleCheckIntervalMs = 15_000;

/** A record's text as it arrives, in bytes (protocol section 5.1); what is stored around it is bounded separately. */
export const recordTextBytesMax = 1_048_576;
/** Metered size of a stored record, in bytes. */
export const recordMeteredBytesMax = 1_048_576;
/** UTF-16 units of a caller's part id. */
export const partIdLengthMax = 256;
/** Records that one trim takes away for good; the rest goes with the next one. */
export const trimDeletesMax = 5_000;
/** Trimmed records stay this long for the sake of repeated appends: clients repeat one for some seconds. */
export const repeatedAppendSeconds = 600;
/** The same for those with a caller's part id: what a repetition of those may count on (protocol section 5.1). */
export const partIdKeptSeconds = 24 * 3_600;
/** One group commit: more would hold its gates, and the connection, for too long. */
export const flushRecordsMax = 500;
export const flushBytesMax = 4 * 1_048_576;
/** Group commits at once, each of other sessions; PGlite has one connection, so there it is one. */
export const flushesMax = 4;
/** Further commits that wait for the gate of one session that somebody else holds. */
export const waitingFlushesMax = 4;
/** Appends that wait for their commit in one process; the next one is refused at once. */
export const appendsWaitingMax = 5_000;
export const appendBytesWaitingMax = 64 * 1_048_576;
/** An append waits this long for Temporal to take its wake; then it is acknowledged, and the flag in the row stands. */
export const wakeDeadlineMs = 2_000;
/** Wakes that Temporal is known to have taken, remembered per session: forgetting one costs a signal. */
export const takenWakesMax = 10_000;
/** Sessions, and runs, whose unchanging facts are remembered, so that an append reads no wide row. */
export const locatedSessionsMax = 10_000;
/** Sessions whose rows a process remembers to have seen: about 200 bytes each. One more may cost a refused call to Temporal. */
export const seenSessionsMax = 50_000;
/** One page of a stream's records, in records and bytes; a single record may exceed the bytes. */
export const pageRecordsMax = 500;
export const pageBytesMax = 262_144;
/** One page of `/records`, which the database puts together: larger, because it is one text and no rows. */
export const transcriptRecordsMax = 2_500;
export const transcriptBytesMax = 524_288;
/** Full pages of `/records` that a process keeps, in bytes. */
export const transcriptCacheBytesMax = 67_108_864;
/** UTF-16 units of a body that is parsed when it is stored, so that no reader has to. */
export const judgedBodyLengthMax = 65_536;
/** Every watched stream is looked at this often, all in one statement, also when every notification is lost. */
export const tailPollMs = 500;
/** Readers in one process: of all streams, of one, and with one credential. Each costs a socket and a few kilobytes. */
export const readersDefault = 10_000;
export const readersPerStreamDefault = 2_000;
export const readersPerKeyDefault = 5_000;
/** Bytes that wait for one reader's socket; beyond it, nothing is written until they have left. */
export const tailBacklogBytesMax = 262_144;
/** A reader that takes nothing for this long is cut off; it resumes by its last seq. */
export const tailStallMs = 30_000;
/** Idle readers hear this often that the connection lives; proxies give up after a minute or less. */
export const pingIntervalMs = 5_000;
/** Quiet time before a tail ends, in seconds (protocol section 5.2). */
export const tailTimeoutDefaultSeconds = 60;
export const tailTimeoutMaxSeconds = 600;

/** UTF-16 units of a caller's idempotency key (protocol section 8.1). */
export const idempotencyKeyLengthMax = 2_048;
/** A wait's body, in bytes, and its tags (protocol section 8.1). */
export const waitBodyBytesMax = 10_240;
export const waitpointTagsMax = 10;
/** Waits pending on one stream: each costs the append that completes it a row. */
export const waitpointsPerStreamMax = 1_000;
/** A call that waits for a waitpoint is answered after this at the latest; proxies cut quiet answers after a minute. */
export const waitHoldMs = 30_000;
/** Such calls open in one process. */
export const waitersMax = 10_000;
/** Every waitpoint that a call waits for is looked at this often, all in one statement, and timeouts are found. */
export const waitpointPollMs = 500;
/** A process in which nobody waits looks for timeouts only this often. */
export const waitpointIdleSweepMs = 5_000;
/** Waitpoints that one statement times out or forgets; the next one goes on. */
export const waitpointBatch = 500;
/** A completed waitpoint answers for its idempotency key this long; then it is forgotten. */
export const waitpointRetentionDays = 30;

/** Bytes of one snapshot: a long conversation with its runtime state, images included. */
export const snapshotBytesMax = 16 * 1_048_576;
/** Snapshots that one process holds in memory, on their way in or out; the next one is refused at once. */
export const snapshotBytesHeldMax = 128 * 1_048_576;
export const snapshotContentTypeLengthMax = 255;
/** From the first byte of a snapshot's body to its last; below the transport's own limit for a request. */
export const snapshotReadDeadlineMs = 25_000;
/** A signed URL works for this long: its holder uses it at once, and a slow clock is forgiven. */
export const snapshotUrlTtlSeconds = 900;
/** One call of the object store, its repeats included. */
export const objectStoreDeadlineMs = 10_000;
/** Newer snapshots that may replace the one being read before a read of an object store gives up. */
export const snapshotReadsMax = 3;

/** One window of a rate limit: counts fit 32 bits with room for what comes after the last, and nobody waits for a day. */
export const rateMax = 1_000_000_000;
export const rateWindowMaxSeconds = 86_400;
/** Longer chains of proxies are a mistake in the configuration. */
export const trustedProxiesMax = 10;
/** Secret keys whose digests a process remembers. */
export const rememberedKeysMax = 1_000;
