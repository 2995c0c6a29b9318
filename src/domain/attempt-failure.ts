/**
 * Failure types by which our own task module reports an attempt to Temporal. The session workflow may
 * read them; every other type is the name of an error that the task itself threw.
 */
export const attemptFailureType = {
  /** The server does not let this attempt run: replaced, finished, ended or unknown. Never retried. */
  claimRefused: 'ClaimRefused',
  /** The worker's secret key does not open the run's environment. Never retried. */
  claimUnauthorized: 'ClaimUnauthorized',
  /** The claim route answered in a way that repeating cannot mend. Never retried. */
  claimRejected: 'ClaimRejected',
  /** The server did not answer the claim in time. Retried. */
  claimUnanswered: 'ClaimUnanswered',
  /** The activity's argument is not a run's input. Never retried. */
  invalidRunInput: 'InvalidRunInput',
  /** The task's own parser refused the payload. Never retried. */
  invalidPayload: 'InvalidPayload',
  /** The task returned something that is not JSON, or too much of it. Never retried. */
  invalidOutput: 'InvalidOutput',
  /** The run's `maxDuration` passed. Never retried. */
  maxDurationExceeded: 'MaxDurationExceeded',
  /** The server refused what the attempt wrote: another attempt or run serves the session. Never retried. */
  attemptSuperseded: 'AttemptSuperseded',
  /** The task's session did not answer it in time. Retried. */
  sessionUnreachable: 'SessionUnreachable',
  /** The worker is being replaced: another one takes the run. Retried. */
  workerShutdown: 'WorkerShutdown',
} as const;
