/** Consecutive records of one stream on their way to readers; shared by all of them and never changed. */
import { pageBytesMax } from '../domain/limits.ts';
import type { StoredRecord } from '../domain/record.ts';

export interface RecordBatch {
  /** Not empty, in order. */
  readonly records: readonly StoredRecord[];
  /** First and one past the last seq. */
  readonly first: number;
  readonly end: number;
}

export function batchOf(records: readonly StoredRecord[]): RecordBatch | null {
  const [first] = records;
  const last = records.at(-1);
  return first === undefined || last === undefined ? null : { records, first: first.seq, end: last.seq + 1 };
}

/**
 * As many batches as keep each within a page, or at one record: a commit can hold megabytes, and a reader that takes
 * nothing is left alone only between two batches.
 */
export function batchesOf(records: readonly StoredRecord[]): RecordBatch[] {
  const groups: StoredRecord[][] = [];
  let room = 0;
  for (const record of records) {
    const group = groups.at(-1);
    if (group === undefined || record.body.length > room) {
      groups.push([record]);
      room = pageBytesMax - record.body.length;
    } else {
      group.push(record);
      room -= record.body.length;
    }
  }
  return groups.flatMap((group) => batchOf(group) ?? []);
}

/** What of a batch has seq >= from; the batch itself when that is all of it, so that its wire form is made once. */
export function batchFrom(batch: RecordBatch, from: number): RecordBatch | null {
  if (batch.first >= from) return batch;
  return batchOf(batch.records.filter(({ seq }) => seq >= from));
}
