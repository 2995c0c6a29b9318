/** The protobuf messages of an append, package `s2.v1` (protocol section 11.2). */
import { LongType, MessageType, RepeatType, ScalarType } from '@protobuf-ts/runtime';

export interface HeaderMessage {
  readonly name: Uint8Array;
  readonly value: Uint8Array;
}

export interface AppendRecordMessage {
  /** Of the client's clock; the server's own counts. */
  readonly timestamp?: bigint;
  readonly headers: readonly HeaderMessage[];
  readonly body: Uint8Array;
}

export interface AppendInputMessage {
  readonly records: readonly AppendRecordMessage[];
  readonly matchSeqNum?: bigint;
  readonly fencingToken?: string;
}

export interface StreamPositionMessage {
  readonly seqNum: bigint;
  /** Milliseconds since 1970. */
  readonly timestamp: bigint;
}

export interface AppendAckMessage {
  readonly start?: StreamPositionMessage;
  readonly end?: StreamPositionMessage;
  readonly tail?: StreamPositionMessage;
}

const uint64 = { kind: 'scalar', T: ScalarType.UINT64, L: LongType.BIGINT } as const;
const bytes = { kind: 'scalar', T: ScalarType.BYTES } as const;

const headerType = new MessageType<HeaderMessage>('s2.v1.Header', [
  { no: 1, name: 'name', ...bytes },
  { no: 2, name: 'value', ...bytes },
]);

const appendRecordType = new MessageType<AppendRecordMessage>('s2.v1.AppendRecord', [
  { no: 1, name: 'timestamp', ...uint64, opt: true },
  { no: 2, name: 'headers', kind: 'message', repeat: RepeatType.UNPACKED, T: () => headerType },
  { no: 3, name: 'body', ...bytes },
]);

export const appendInputType = new MessageType<AppendInputMessage>('s2.v1.AppendInput', [
  { no: 1, name: 'records', kind: 'message', repeat: RepeatType.UNPACKED, T: () => appendRecordType },
  { no: 2, name: 'match_seq_num', ...uint64, opt: true },
  { no: 3, name: 'fencing_token', kind: 'scalar', T: ScalarType.STRING, opt: true },
]);

const streamPositionType = new MessageType<StreamPositionMessage>('s2.v1.StreamPosition', [
  { no: 1, name: 'seq_num', ...uint64 },
  { no: 2, name: 'timestamp', ...uint64 },
]);

export const appendAckType = new MessageType<AppendAckMessage>('s2.v1.AppendAck', [
  { no: 1, name: 'start', kind: 'message', T: () => streamPositionType },
  { no: 2, name: 'end', kind: 'message', T: () => streamPositionType },
  { no: 3, name: 'tail', kind: 'message', T: () => streamPositionType },
]);
