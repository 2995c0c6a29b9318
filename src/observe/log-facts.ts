/** Facts to log lines. */
import type { Fact, Observe, RequestAnswered } from './facts.ts';
import type { Log } from './log.ts';

export function logFacts(log: Log): Observe {
  // No field of an answered request can hold a secret: looking for them by name took 8 % of the processor time of an append.
  const plainLog = log.child({}, { redact: [] });
  return (fact: Fact) => {
    switch (fact.kind) {
      case 'request_answered':
        logAnswer(plainLog, fact);
        return;
      case 'request_failed':
        log.error({ requestId: fact.requestId, route: fact.route, err: fact.error }, 'request failed');
        return;
      case 'part_unavailable':
        log.warn({ requestId: fact.requestId, route: fact.route, err: fact.error }, 'a part is not available');
        return;
      case 'answer_undelivered':
        log.debug({ err: fact.error }, 'answer not delivered');
        return;
      case 'keys_not_reloaded':
        log.warn({ err: fact.error }, 'keys could not be reloaded; those in memory stay valid');
        return;
      case 'key_unreadable':
        log.warn({ keyId: fact.keyId }, 'a key is left out: ENCRYPTION_KEY of this process does not open it');
    }
  };
}

function logAnswer(log: Log, { kind: _kind, durationMs, aborted, ...fact }: RequestAnswered): void {
  const line = { ...fact, ms: Math.round(durationMs * 10) / 10, ...(aborted ? { aborted } : {}) };
  if (fact.status >= 500) log.warn(line, 'request');
  else log.info(line, 'request');
}
