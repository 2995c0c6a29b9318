/** What may become of a session between two appends of one process: each story with how the second must go. */
import type { ClaimedAttempt } from '../../src/domain/attempt.ts';
import type { StreamName } from '../../src/domain/stream.ts';
import { newWaitpointId } from '../../src/sessions/new-ids.ts';
import type { Append, AppendAnswer, StreamStore } from '../../src/sessions/ports.ts';
import type { Database } from '../../src/storage/database.ts';
import { sqlStreamStore } from '../../src/storage/streams/sql-stream-store.ts';
import { sqlWaitpointStore } from '../../src/storage/waitpoints/sql-waitpoint-store.ts';
import { type Lifecycle, type OpenSession, outcome } from '../storage/lifecycle.ts';
import { claimFirst } from './stage.ts';

type Writing = Partial<Pick<Append, 'partId' | 'matchSeq' | 'attempt' | 'records'>>;

export const appendOf = (session: OpenSession, stream: StreamName, writing: Writing = {}): Append => ({
  sessionId: session.view.sessionId,
  stream,
  records: [{ headers: [], body: '{"data":"x","id":"a"}' }],
  partId: null,
  matchSeq: null,
  attempt: null,
  ...writing,
});

export async function answerOf(store: StreamStore, append: Append, wait = true): Promise<AppendAnswer | 'busy'> {
  const [answer] = await store.append([append], wait);
  if (answer === undefined) throw new Error('an append has no answer');
  return answer;
}

/** What may happen to a session between two appends of one process, and how the second goes. */
export interface Story {
  readonly title: string;
  readonly stream: 'in' | 'out';
  readonly first?: (session: OpenSession) => Writing;
  readonly meanwhile?: (session: OpenSession, world: World) => Promise<unknown>;
  readonly second?: (session: OpenSession) => Writing;
  readonly expected: Partial<Omit<AppendAnswer, 'outcome'>> & { readonly outcome: unknown };
}

export interface World {
  readonly life: Lifecycle;
  readonly database: Database;
}

const attemptOf = ({ view, runId }: OpenSession, attempt: number): ClaimedAttempt => ({
  sessionId: view.sessionId,
  runId,
  runNumber: 1,
  attempt,
});
export const stored = (seq: number) => ({ kind: 'stored', seq });
const otherAppends =
  (stream: StreamName, writing: Writing = {}) =>
  (session: OpenSession, { database }: World) =>
    answerOf(sqlStreamStore(database), appendOf(session, stream, writing));
const setGate =
  (change: string) =>
  ({ view }: OpenSession, { database }: World) =>
    database.query(`UPDATE gates SET ${change} WHERE session_id = $1`, [view.sessionId]);
const registerOn =
  (stream: 'in' | 'out', after: number) =>
  ({ view, runId, order }: OpenSession, { database }: World) =>
    sqlWaitpointStore(database).register({
      id: newWaitpointId(),
      environmentId: order.environment.id,
      run: { id: runId, sessionId: view.sessionId, number: 1 },
      attempt: null,
      sessionId: view.sessionId,
      stream,
      after,
      timeout: null,
      idempotency: null,
      tags: [],
    });

const trim = Buffer.of(0, 0, 0, 0, 0, 0, 0, 1);

const common: readonly Story[] = (['in', 'out'] as const).flatMap((stream): Story[] => [
  { title: 'nothing', stream, expected: { outcome: stored(1), next: 2 } },
  { title: 'an append elsewhere', stream, meanwhile: otherAppends(stream), expected: { outcome: stored(2) } },
  {
    title: 'the same part elsewhere',
    stream,
    meanwhile: otherAppends(stream, { partId: 'p' }),
    second: () => ({ partId: 'p' }),
    expected: { outcome: { kind: 'duplicate', seq: 1 }, next: 2 },
  },
  {
    title: 'a part that was stored before',
    stream,
    first: () => ({ partId: 'p' }),
    second: () => ({ partId: 'p' }),
    expected: { outcome: { kind: 'duplicate', seq: 0 }, next: 1 },
  },
  {
    title: 'a wait for the next record',
    stream,
    meanwhile: registerOn(stream, 0),
    expected: { outcome: stored(1), completedWaits: true },
  },
  {
    title: 'a seq that it insists on',
    stream,
    second: () => ({ matchSeq: 1 }),
    expected: { outcome: stored(1) },
  },
  {
    title: 'a seq that is another',
    stream,
    second: () => ({ matchSeq: 5 }),
    expected: { outcome: { kind: 'seq mismatch', next: 1 } },
  },
]);

const ends: readonly Story[] = (['in', 'out'] as const).flatMap((stream): Story[] => [
  {
    title: 'a close',
    stream,
    meanwhile: (session, { life }) => life.close({ ...session.own, reason: 'done', callingRunId: null }),
    expected: { outcome: { kind: 'closed', reason: 'done' } },
  },
  {
    title: 'a close by its run',
    stream,
    meanwhile: (session, { life }) => life.close({ ...session.own, reason: null, callingRunId: session.runId }),
    expected: { outcome: { kind: 'closed', reason: null } },
  },
  {
    title: 'an expiry that another clock has seen',
    stream,
    meanwhile: setGate(`expired_at = clock_timestamp(), expires_at = clock_timestamp() + interval '1 hour'`),
    expected: { outcome: { kind: 'expired' } },
  },
  {
    title: 'an expiry that only the clock shows',
    stream,
    meanwhile: setGate(`expires_at = clock_timestamp() - interval '1 ms'`),
    expected: { outcome: { kind: 'expired' } },
  },
  {
    title: 'an expiry yet to come',
    stream,
    meanwhile: setGate(`expires_at = clock_timestamp() + interval '1 hour'`),
    expected: { outcome: stored(1) },
  },
]);

export const stories: readonly Story[] = [
  ...common,
  ...ends,
  {
    title: 'a claim',
    stream: 'in',
    meanwhile: (session, { database }) => claimFirst(database, session),
    expected: { outcome: stored(1), unclaimedRun: null, wakeAfter: null },
  },
  { title: 'no claim yet', stream: 'in', expected: { outcome: stored(1), unclaimedRun: 1 } },
  {
    title: 'the end of the run',
    stream: 'in',
    meanwhile: async (session, { life, database }) => {
      await claimFirst(database, session);
      await database.query('UPDATE gates SET consumed = next WHERE session_id = $1', [session.view.sessionId]);
      await life.endRun({ ...session.own, runNumber: 1, outcome: outcome('COMPLETED') });
    },
    expected: { outcome: stored(1), wakeAfter: 1 },
  },
  {
    title: 'the end of a run that nobody has claimed',
    stream: 'in',
    meanwhile: async (session, { life, database }) => {
      await database.query('UPDATE gates SET consumed = next WHERE session_id = $1', [session.view.sessionId]);
      await life.endRun({ ...session.own, runNumber: 1, outcome: outcome('CANCELED') });
    },
    expected: { outcome: stored(1), wakeAfter: 1 },
  },
  {
    title: 'the end of the run',
    stream: 'out',
    first: (session) => ({ attempt: attemptOf(session, 0) }),
    meanwhile: (session, { life }) => life.endRun({ ...session.own, runNumber: 1, outcome: outcome('CANCELED') }),
    second: (session) => ({ attempt: attemptOf(session, 0) }),
    expected: { outcome: { kind: 'fenced' } },
  },
  {
    title: 'a claim by the next attempt',
    stream: 'out',
    first: (session) => ({ attempt: attemptOf(session, 0) }),
    meanwhile: (session, { database }) => claimFirst(database, session),
    second: (session) => ({ attempt: attemptOf(session, 0) }),
    expected: { outcome: { kind: 'fenced' } },
  },
  {
    title: 'nothing, and the attempt that writes is the same',
    stream: 'out',
    first: (session) => ({ attempt: attemptOf(session, 0) }),
    second: (session) => ({ attempt: attemptOf(session, 0) }),
    expected: { outcome: stored(1) },
  },
  {
    title: 'a trim elsewhere',
    stream: 'out',
    meanwhile: otherAppends('out', { records: [{ headers: [['', 'trim']], body: trim }] }),
    expected: { outcome: stored(2) },
  },
  {
    title: 'nothing, and the second is a trim',
    stream: 'out',
    second: () => ({ records: [{ headers: [['', 'trim']], body: trim }] }),
    expected: { outcome: stored(1) },
  },
  {
    title: 'nothing, and the second completes a turn',
    stream: 'out',
    second: () => ({
      records: [
        {
          headers: [
            ['trigger-control', 'turn-complete'],
            ['session-in-event-id', '0'],
          ],
          body: '',
        },
      ],
    }),
    expected: { outcome: stored(1) },
  },
];
