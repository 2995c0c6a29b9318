/**
 * The one queue of a session's workflow: signals, timers and ends of runs become inputs here, and only the
 * main loop takes them out. So no handler interleaves with a transition, and an order that arrives before
 * the row exists waits for it (V13).
 */
import { condition, setDefaultSignalHandler, setHandler } from '@temporalio/workflow';
import type { RunId } from '../src/domain/ids.ts';
import { closeReasonLengthMax } from '../src/domain/limits.ts';
import type { RunOutcome } from '../src/domain/run.ts';
import {
  type CloseSignal,
  cancelRunSignal,
  closeSignal,
  type EndAndContinueSignal,
  endAndContinueSignal,
  ensureSignal,
  expireSignal,
  pokeSignal,
  rescheduleSignal,
  wakeSignal,
} from './messages.ts';

export type SessionEvent =
  | { readonly kind: 'continue'; readonly runNumber: number }
  | { readonly kind: 'endAndContinue'; readonly order: EndAndContinueSignal }
  | { readonly kind: 'close'; readonly order: CloseSignal }
  | { readonly kind: 'cancelRun'; readonly runId: RunId }
  | { readonly kind: 'expire' }
  | { readonly kind: 'look' }
  | { readonly kind: 'runEnded'; readonly runNumber: number; readonly outcome: RunOutcome }
  | { readonly kind: 'graceOver' };

export interface Inbox {
  push(event: SessionEvent): void;
  take(): SessionEvent | undefined;
  isEmpty(): boolean;
  /** Resolves when there is something to take. */
  filled(): Promise<void>;
}

export function openInbox(): Inbox {
  const events: SessionEvent[] = [];
  const inbox: Inbox = {
    push: (event) => void events.push(event),
    take: () => events.shift(),
    isEmpty: () => events.length === 0,
    filled: () => condition(() => events.length > 0),
  };
  receiveSignals(inbox);
  return inbox;
}

/** Operators type payloads by hand: a signal that does not say what it must changes nothing, and fails no task. */
function receiveSignals({ push }: Inbox): void {
  const continueRun = (order?: { readonly runNumber: number }) => {
    if (typeof order?.runNumber === 'number') push({ kind: 'continue', runNumber: order.runNumber });
  };
  setHandler(ensureSignal, continueRun);
  setHandler(wakeSignal, continueRun);
  setHandler(endAndContinueSignal, (order?: EndAndContinueSignal) => {
    if (typeof order?.runNumber === 'number' && typeof order.requestKey === 'string')
      push({ kind: 'endAndContinue', order });
  });
  setHandler(closeSignal, (order) => push({ kind: 'close', order: readClose(order) }));
  setHandler(cancelRunSignal, (order?: { readonly runId: RunId }) => {
    if (typeof order?.runId === 'string') push({ kind: 'cancelRun', runId: order.runId });
  });
  setHandler(expireSignal, () => push({ kind: 'expire' }));
  setHandler(rescheduleSignal, () => push({ kind: 'expire' }));
  setHandler(pokeSignal, () => push({ kind: 'look' }));
  setDefaultSignalHandler(() => undefined);
}

/** A reason is bounded as on the API, in code points; what is not text is no reason. */
function readClose(order?: CloseSignal | null): CloseSignal {
  const { reason, callingRunId } = order ?? {};
  return {
    reason: typeof reason === 'string' ? Array.from(reason).slice(0, closeReasonLengthMax).join('') : null,
    callingRunId: typeof callingRunId === 'string' ? callingRunId : null,
  };
}
