/** POST .../append: one record, in the envelope that readers of a session expect. */
import { fail, type Result, succeed } from '../domain/failure.ts';
import { recordMeteredBytesMax } from '../domain/limits.ts';
import { meteredBytes, recordEnvelope, withoutWebhookMark } from '../domain/record.ts';
import { kindOf } from '../domain/stream.ts';
import { type AppendBatchOrder, type AppendDeps, appendBatch } from './append-batch.ts';

export interface AppendOrder extends Omit<AppendBatchOrder, 'records' | 'matchSeq'> {
  /** As it came; not parsed. */
  readonly text: string;
}

export interface AppendedRecord {
  readonly seq: number;
  readonly pendingVersion: boolean;
}

export interface AppendRecordDeps extends AppendDeps {
  readonly newRecordId: () => string;
}

export async function appendRecord(
  deps: AppendRecordDeps,
  { text: sent, ...order }: AppendOrder,
): Promise<Result<AppendedRecord>> {
  const text = kindOf(order.stream) === 'in' ? withoutWebhookMark(sent) : sent;
  if (text === null) return fail({ code: 'record_too_deep' });
  const body = recordEnvelope(text, order.partId ?? deps.newRecordId());
  const metered = meteredBytes(Buffer.byteLength(body));
  if (metered > recordMeteredBytesMax) return fail({ code: 'record_too_large', meteredBytes: metered });
  const appended = await appendBatch(deps, {
    ...order,
    records: [{ headers: [], body, isEnvelope: true }],
    matchSeq: null,
  });
  if (!appended.ok) return appended;
  return succeed({ seq: appended.value.first, pendingVersion: appended.value.pendingVersion });
}
