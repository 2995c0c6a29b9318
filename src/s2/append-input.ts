/** What a client wants appended, in whichever form it came, checked against the limits of the wire (protocol 11.2). */
import { isUtf8 } from 'node:buffer';
import { z } from 'zod';
import { isCommand, meteredBytes, type NewRecord, type RecordHeader, trimPoint } from '../domain/record.ts';
import { appendMeteredBytesMax, appendRecordsMax } from './limits.ts';
import { type AppendInputMessage, appendInputType } from './messages.ts';
import { refuse, S2Error } from './refusal.ts';

export interface AppendInput {
  readonly records: readonly NewRecord[];
  /** Null takes any seq. */
  readonly matchSeq: number | null;
}

export function readProtobuf(bytes: Uint8Array): AppendInput {
  const message = decode(bytes);
  const records = message.records.map(({ headers, body }) => ({
    headers: headers.map(({ name, value }): RecordHeader => [headerText(name), headerText(value)]),
    body: bodyOf(body),
  }));
  const { matchSeqNum } = message;
  return checked({
    records,
    matchSeq: matchSeqNum === undefined ? null : Number(matchSeqNum),
    fencingToken: message.fencingToken,
  });
}

function decode(bytes: Uint8Array): AppendInputMessage {
  try {
    return appendInputType.fromBinary(bytes, { readUnknownField: false });
  } catch {
    return refuse('bad_proto', 'Not an AppendInput');
  }
}

const jsonInput = z.object({
  records: z.array(
    z.object({
      body: z.string().default(''),
      headers: z.array(z.tuple([z.string(), z.string()])).default([]),
    }),
  ),
  match_seq_num: z.int().nonnegative().nullish(),
  fencing_token: z.string().nullish(),
});

/** @param format what the `s2-format` header says of bodies and headers */
export function readJson(text: string, format: 'raw' | 'base64'): AppendInput {
  const parsed = jsonInput.safeParse(parseJson(text));
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    return refuse('bad_json', `${issue?.path.join('.') ?? ''}: ${issue?.message ?? 'not an append'}`);
  }
  const { records, match_seq_num: matchSeq, fencing_token: fencingToken } = parsed.data;
  const bytesOf = (part: string): Buffer => Buffer.from(part, format === 'raw' ? 'utf8' : 'base64');
  return checked({
    records: records.map(({ headers, body }) => ({
      headers: headers.map(([name, value]): RecordHeader => [headerText(bytesOf(name)), headerText(bytesOf(value))]),
      body: bodyOf(bytesOf(body)),
    })),
    matchSeq: matchSeq ?? null,
    fencingToken: fencingToken ?? undefined,
  });
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return refuse('bad_json', 'Not JSON');
  }
}

/** Headers leave again as JSON text, so they must be text. */
function headerText(bytes: Uint8Array): string {
  return isUtf8(bytes) ? Buffer.from(bytes).toString('utf8') : refuse('invalid', 'Headers must be UTF-8');
}

function bodyOf(bytes: Uint8Array): NewRecord['body'] {
  return isUtf8(bytes) && !bytes.includes(0) ? Buffer.from(bytes).toString('utf8') : bytes;
}

interface UncheckedInput extends AppendInput {
  readonly fencingToken: string | undefined;
}

function checked({ records, matchSeq, fencingToken }: UncheckedInput): AppendInput {
  if (records.length === 0) return refuse('invalid', 'An append has at least one record');
  if (records.length > appendRecordsMax) return refuse('invalid', `An append has at most ${appendRecordsMax} records`);
  const metered = records.reduce((sum, record) => sum + meteredBytesOf(record), 0);
  if (metered > appendMeteredBytesMax) {
    return refuse('invalid', `An append has at most ${appendMeteredBytesMax} metered bytes, not ${metered}`);
  }
  for (const record of records) checkCommand(record);
  // No stream here is ever fenced by a token of a writer's choice: attempts are fenced by their credential.
  if (fencingToken !== undefined && fencingToken !== '') {
    throw new S2Error({ status: 412, body: { fencing_token_mismatch: '' } });
  }
  return { records, matchSeq };
}

function meteredBytesOf({ headers, body }: NewRecord): number {
  const headerBytes = headers.reduce(
    (sum, [name, value]) => sum + Buffer.byteLength(name) + Buffer.byteLength(value),
    0,
  );
  return meteredBytes(
    typeof body === 'string' ? Buffer.byteLength(body) : body.byteLength,
    headers.length,
    headerBytes,
  );
}

function checkCommand(record: NewRecord): void {
  const isNameless = record.headers.some(([name]) => name === '');
  if (!isNameless) return;
  if (record.headers.length > 1 || !isCommand(record)) {
    refuse('invalid', 'A command record has one header, and only its name is empty');
  }
  if (trimPoint(record) === null) refuse('invalid', 'The one command is trim, with a body of eight bytes');
}

/** It takes more than the right to append. */
export const asksToTrim = ({ records }: AppendInput): boolean => records.some(isCommand);
