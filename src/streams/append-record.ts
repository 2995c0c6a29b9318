/** POST .../append: the record is durable, and met by a run, before it is acknowledged. */
import { fail, type Result, succeed } from '../domain/failure.ts';
import type { Environment } from '../domain/ids.ts';
import { recordMeteredBytesMax } from '../domain/limits.ts';
import { meteredBytes, recordEnvelope, withoutWebhookMark } from '../domain/record.ts';
import { kindOf, type StreamName } from '../domain/stream.ts';
import type { Failpoints } from '../sessions/ports.ts';
import type { AppendQueue } from './append-queue.ts';
import type { LocatedSession } from './locate-session.ts';
import type { RunWaker } from './wake-runs.ts';

export interface AppendOrder {
  readonly environment: Environment;
  readonly session: LocatedSession;
  readonly stream: StreamName;
  /** As it came; not parsed. */
  readonly text: string;
  /** Null: no other append is the same. */
  readonly partId: string | null;
}

export interface AppendRecordDeps {
  readonly queue: AppendQueue;
  readonly waker: RunWaker;
  readonly failpoints: Failpoints;
  readonly newRecordId: () => string;
}

export async function appendRecord(
  deps: AppendRecordDeps,
  order: AppendOrder,
): Promise<Result<{ readonly seq: number }>> {
  const { environment, session, stream, partId } = order;
  const text = kindOf(stream) === 'in' ? withoutWebhookMark(order.text) : order.text;
  if (text === null) return fail({ code: 'record_too_deep' });
  const body = recordEnvelope(text, partId ?? deps.newRecordId());
  const metered = meteredBytes(Buffer.byteLength(body));
  if (metered > recordMeteredBytesMax) return fail({ code: 'record_too_large', meteredBytes: metered });
  await deps.failpoints.hit('append:before');
  const answer = await deps.queue.append({
    sessionId: session.id,
    workflowId: session.workflowId,
    stream,
    partId,
    body,
  });
  if (answer === null) return fail({ code: 'appends_crowded' });
  await deps.failpoints.hit('append:after');
  if (answer.wakeAfter !== null) {
    await deps.waker.wake({ environment, sessionId: session.id, runNumber: answer.wakeAfter });
  }
  const { outcome } = answer;
  switch (outcome.kind) {
    case 'stored':
    case 'duplicate':
      return succeed({ seq: outcome.seq });
    case 'closed':
      return fail({ code: 'append_to_closed', closedReason: outcome.reason });
    case 'expired':
      return fail({ code: 'append_to_expired' });
  }
}
