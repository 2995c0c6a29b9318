/** All transitions of a session over one database. */
import type { RunId } from '../../domain/ids.ts';
import type { Transitions } from '../../sessions/ports.ts';
import type { Database } from '../database.ts';
import { adoptSession } from './adopt.ts';
import { continueRun } from './continue-run.ts';
import { createSession } from './create.ts';
import { endAndContinue } from './end-and-continue.ts';
import { endRun } from './end-run.ts';
import { closeSession, expireSession } from './end-session.ts';
import { lookAtGate, lookAtLabels } from './look.ts';

/** @param newRunId an unused id; one that a repeated order does not need is dropped */
export function sqlTransitions(db: Database, newRunId: () => RunId): Transitions {
  return {
    create: (order, onCommitted) => createSession(db, order, { newRunId, onCommitted }),
    adopt: (order) => adoptSession(db, order, newRunId),
    look: (order) => lookAtGate(db, order),
    lookAtLabels: (order) => lookAtLabels(db, order),
    continueRun: (order) => continueRun(db, order, newRunId),
    endRun: (order) => endRun(db, order, newRunId),
    endAndContinue: (order) => endAndContinue(db, order, newRunId),
    close: (order) => closeSession(db, order),
    expire: (order) => expireSession(db, order),
  };
}
