/** POST .../records: records of an `out` as their writer made them, in order, each once for its part id. */
import { fail, type Result, succeed } from '../domain/failure.ts';
import { recordMeteredBytesMax } from '../domain/limits.ts';
import { meteredBytes, type NewRecord, type RecordHeader, writtenRecord } from '../domain/record.ts';
import { type AppendBatchOrder, type AppendDeps, type AppendedRange, appendBatch } from './append-batch.ts';

export interface WriteOrder extends Omit<AppendBatchOrder, 'records' | 'matchSeq' | 'partId'> {
  readonly records: readonly RecordToWrite[];
}

export interface RecordToWrite {
  /** JSON; undefined in a record that only steers readers. */
  readonly data?: unknown;
  /** Null is never a repetition. */
  readonly id: string | null;
  readonly headers: readonly RecordHeader[];
}

export interface WriteRecordsDeps extends AppendDeps {
  readonly newRecordId: () => string;
}

/** A failure may leave the first records stored; whoever repeats the order with the same ids completes it. */
export async function writeRecords(
  deps: WriteRecordsDeps,
  { records, ...target }: WriteOrder,
): Promise<Result<{ readonly seqs: readonly number[] }>> {
  const made = records.map((record) => ({
    partId: record.id,
    record: writtenRecord({ ...record, id: record.id ?? deps.newRecordId() }),
  }));
  const largest = Math.max(...made.map(({ record }) => meteredBytesOf(record)));
  if (largest > recordMeteredBytesMax) return fail({ code: 'record_too_large', meteredBytes: largest });
  // Handed over in one turn of the event loop, they are stored in this order, and mostly in one commit.
  const answers = await Promise.all(
    made.map(({ partId, record }) => appendBatch(deps, { ...target, partId, matchSeq: null, records: [record] })),
  );
  return seqsOf(answers);
}

function meteredBytesOf({ headers, body }: NewRecord): number {
  const headerBytes = headers.flat().reduce((bytes, text) => bytes + Buffer.byteLength(text), 0);
  return meteredBytes(Buffer.byteLength(body), headers.length, headerBytes);
}

function seqsOf(answers: readonly Result<AppendedRange>[]): Result<{ readonly seqs: readonly number[] }> {
  const seqs: number[] = [];
  for (const answer of answers) {
    if (!answer.ok) return answer;
    seqs.push(answer.value.first);
  }
  return succeed({ seqs });
}
