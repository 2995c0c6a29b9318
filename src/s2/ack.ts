/** Where in its stream an append went: `start` and one past it, and where the stream ends. */
import type { AppendedRange } from '../streams/append-batch.ts';
import { appendAckType } from './messages.ts';

export function ackMessage(range: AppendedRange): Uint8Array {
  const timestamp = BigInt(range.atMs);
  const at = (seq: number) => ({ seqNum: BigInt(seq), timestamp });
  return appendAckType.toBinary({ start: at(range.first), end: at(range.end), tail: at(range.next) });
}

export function ackJson(range: AppendedRange) {
  const at = (seq: number) => ({ seq_num: seq, timestamp: range.atMs });
  return { start: at(range.first), end: at(range.end), tail: at(range.next) };
}
