/**
 * The one queue of a session's workflow: signals, timers and ends of runs become inputs here, and only the
 * main loop takes them out. So no handler interleaves with a transition, and an order that arrives before
 * the row exists waits for it (V13).
 */
import { condition, patched, setDefaultSignalHandler, setHandler } from '@temporalio/workflow';
import type { RunId } from '../src/domain/ids.ts';
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
  relabelSignal,
  rescheduleSignal,
  wakeSignal,
} from './messages.ts';
import { readClose, readHandOver, readRunId, readRunNumber } from './read-orders.ts';

export type SessionEvent =
  | { readonly kind: 'continue'; readonly runNumber: number }
  | { readonly kind: 'endAndContinue'; readonly order: EndAndContinueSignal }
  | { readonly kind: 'close'; readonly order: Required<CloseSignal> }
  | { readonly kind: 'cancelRun'; readonly runId: RunId }
  | { readonly kind: 'expire' }
  | { readonly kind: 'look' }
  | { readonly kind: 'relabel' }
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

function receiveSignals({ push }: Inbox): void {
  const continueRun = (typed: unknown) => {
    const order = readRunNumber(typed);
    if (order !== null) push({ kind: 'continue', ...order });
  };
  setHandler(ensureSignal, continueRun);
  setHandler(wakeSignal, continueRun);
  setHandler(endAndContinueSignal, (typed: unknown) => {
    const order = readHandOver(typed);
    if (order !== null) push({ kind: 'endAndContinue', order });
  });
  setHandler(closeSignal, (typed: unknown) => push({ kind: 'close', order: readClose(typed) }));
  setHandler(cancelRunSignal, (typed: unknown) => {
    const order = readRunId(typed);
    if (order !== null) push({ kind: 'cancelRun', ...order });
  });
  setHandler(expireSignal, () => push({ kind: 'expire' }));
  setHandler(rescheduleSignal, () => push({ kind: 'expire' }));
  setHandler(pokeSignal, () => push({ kind: 'look' }));
  // A worker of the version before, during an upgrade, let this signal pass: what it did must stay what it did.
  setHandler(relabelSignal, () => {
    if (patched('tags-follow-the-row')) push({ kind: 'relabel' });
  });
  setDefaultSignalHandler(() => undefined);
}
